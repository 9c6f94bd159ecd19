#!/usr/bin/env bash
# Builds the fuzz targets (preset "fuzz", needs clang) and runs each for a time, as many at once as there are processors.
#
# Usage: tools/fuzz.sh [SECONDS [TARGET...]]   processor time for each target (default: 60 seconds, all targets)
#        tools/fuzz.sh --keep [TARGET...]      add what was grown to fuzz/corpus: the smallest inputs that reach all the
#                                              code which the grown corpus reaches
# The environment variable BERT_FUZZ_SEED makes runs that begin with the same corpus repeat each other: by itself each looks
# elsewhere. The corpus grows in build/fuzz/corpus. A finding ends the script with its error; the input is in
# build/fuzz/findings and belongs, once it is understood, into fuzz/corpus/TARGET, whose inputs the tests replay.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/fuzz
fail() {
    echo "fuzz: $*" >&2
    exit 1
}

keep=0
seconds=60
if [[ "${1:-}" == --keep ]]; then
    keep=1
    shift
elif (($# > 0)); then
    [[ "$1" =~ ^[0-9]+$ ]] || fail "expected a number of seconds, given \"$1\""
    seconds="$1"
    shift
fi
targets=("$@")
if ((${#targets[@]} == 0)); then
    for source in fuzz/*_fuzzer.cpp; do targets+=("$(basename "$source" _fuzzer.cpp)"); done
fi
for target in "${targets[@]}"; do
    [[ -f "fuzz/${target}_fuzzer.cpp" ]] || fail "there is no target \"$target\""
done

cmake --preset fuzz >/dev/null
cmake --build --preset fuzz --target "${targets[@]/#/bert_fuzz_}"
mkdir -p "$build/findings"
export UBSAN_OPTIONS=print_stacktrace=1 TIMEFORMAT='%U %S'

# Merges what was grown into what is committed.
keep() {
    local target="$1"
    local committed="fuzz/corpus/$target"
    # Small inputs only: they are replayed at every test. What was committed stays, for it holds what was found.
    "$build/bin/bert_fuzz_$target" -merge=1 -max_len=400 -verbosity=0 "$committed" "$build/corpus/$target"
    echo "$target: $(find "$committed" -type f | wc -l) inputs, $(du -sb "$committed" | cut -f1) bytes"
}

# Runs a target for its time.
run() {
    local target="$1" used=0 executions=0 times user system
    local log="$build/$target.log"
    local options=(-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "-artifact_prefix=$build/findings/$target-")
    [[ -z "${BERT_FUZZ_SEED:-}" ]] || options+=("-seed=$BERT_FUZZ_SEED")
    [[ -f "fuzz/dictionaries/$target.dict" ]] && options+=("-dict=fuzz/dictionaries/$target.dict")
    # The fuzzer counts time on the clock; a machine with other work gives it less of the processor.
    while ((used < seconds)); do
        if ! times="$({ time "$build/bin/bert_fuzz_$target" "${options[@]}" -max_total_time=$((seconds - used)) \
            "$build/corpus/$target" "fuzz/corpus/$target" >"$log" 2>&1; } 2>&1)"; then
            grep -v '^#' "$log" | tail -60 >&2
            fail "$target: a finding, see $log and $build/findings"
        fi
        read -r user system <<<"$times"
        used=$((used + ${user%.*} + ${system%.*} + 1))
        executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")))
    done
    echo "$target: $executions executions in $used seconds of processor time, nothing found"
}

# Each run is a group of processes, which a finding of another one ends.
set -m
end_runs() {
    local group
    for group in $(jobs -pr); do kill -- "-$group" || true; done
}
trap end_runs EXIT
for target in "${targets[@]}"; do
    mkdir -p "$build/corpus/$target" "fuzz/corpus/$target"
    if ((keep)); then
        keep "$target"
        continue
    fi
    (($(jobs -pr | wc -l) < $(nproc))) || wait -n
    run "$target" &
done
while [[ -n "$(jobs -p)" ]]; do wait -n; done

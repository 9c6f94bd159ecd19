#!/usr/bin/env bash
# Builds the fuzz targets (preset "fuzz", needs clang) and runs each for a time, one after another.
#
# Usage: tools/fuzz.sh [SECONDS [TARGET...]]   processor time for each target (default: 60 seconds, all targets)
#        tools/fuzz.sh --keep [TARGET...]      add what was grown to fuzz/corpus: the smallest inputs that reach all the
#                                              code which the grown corpus reaches
# The corpus grows in build/fuzz/corpus. A finding ends the script with its error; the input is in build/fuzz/findings and
# belongs, once it is understood, into fuzz/corpus/TARGET, whose inputs the tests replay.
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

for target in "${targets[@]}"; do
    program="$build/bin/bert_fuzz_$target"
    grown="$build/corpus/$target"
    committed="fuzz/corpus/$target"
    mkdir -p "$grown" "$committed"
    if ((keep)); then
        # Small inputs only: they are replayed at every test. What was committed stays, for it holds what was found.
        "$program" -merge=1 -max_len=400 -verbosity=0 "$committed" "$grown"
        echo "$target: $(find "$committed" -type f | wc -l) inputs, $(du -sb "$committed" | cut -f1) bytes"
        continue
    fi
    options=(-timeout=10 -rss_limit_mb=2048 -print_final_stats=1 "-artifact_prefix=$build/findings/$target-")
    [[ -f "fuzz/dictionaries/$target.dict" ]] && options+=("-dict=fuzz/dictionaries/$target.dict")
    log="$build/$target.log"
    used=0
    executions=0
    # The fuzzer counts time on the clock; a machine with other work gives it less of the processor.
    while ((used < seconds)); do
        if ! times="$({ time "$program" "${options[@]}" -max_total_time=$((seconds - used)) "$grown" "$committed" \
            >"$log" 2>&1; } 2>&1)"; then
            grep -v '^#' "$log" | tail -60 >&2
            fail "$target: a finding, see $log and $build/findings"
        fi
        read -r user system <<<"$times"
        used=$((used + ${user%.*} + ${system%.*} + 1))
        executions=$((executions + $(sed -n 's/^stat::number_of_executed_units: *//p' "$log")))
    done
    echo "$target: $executions executions in $used seconds of processor time, nothing found"
done

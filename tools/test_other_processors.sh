#!/usr/bin/env bash
# Runs the tests of kernels and layers for processors this machine is not, all under qemu-user: ARM64, and x86-64 down to
# plain SSE2. (Those for AVX-512 and VNNI are part of the usual tests, on emulated instructions.)
#
# Usage: tools/test_other_processors.sh
# Needs g++-aarch64-linux-gnu, qemu-user, Eigen, nlohmann/json and GoogleTest's sources (Debian: googletest).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/other"
mkdir -p "$build"
googletest=/usr/src/googletest/googletest
tests=("$root"/tests/unit/core/*_test.cpp "$root"/tests/unit/kernels/kernels_test.cpp
    "$root"/tests/unit/nn/layers_test.cpp)
unset BERT_KERNELS
fail() {
    echo "test_other_processors: $*" >&2
    exit 1
}

# -idirafter: of the host's headers, only those that the cross compiler does not have.
compile() {
    local compiler="$1" program="$2"
    shift 2
    "$compiler" -std=c++17 -O2 -static -pthread -I"$root/include" -I"$root/tests/unit" -isystem /usr/include/eigen3 \
        -isystem "$googletest/include" -isystem "$googletest" -idirafter /usr/include \
        "-DBERT_TEST_DATA_DIR=\"$root/tests/golden\"" "$@" -o "$build/$program"
}
compile_tests() {
    compile "$1" "$2" "$googletest/src/gtest-all.cc" "$googletest/src/gtest_main.cc" "${tests[@]}"
}

arm64() {
    compile_tests aarch64-linux-gnu-g++ arm64
    qemu-aarch64 -cpu max "$build/arm64" --gtest_brief=1  # all tables
    compile aarch64-linux-gnu-g++ chosen-neoverse -mcpu=neoverse-v1 "$root/tests/emulated/chosen_kernels.cpp"  # regions of less
    qemu-aarch64 -cpu max "$build/chosen-neoverse" >/dev/null
    qemu-aarch64 -cpu cortex-a53 "$build/arm64" --gtest_brief=1 --gtest_filter='Available/Kernels*'
    compile aarch64-linux-gnu-g++ chosen-arm64 "$root/tests/emulated/chosen_kernels.cpp"
    while read -r processor expected; do
        chosen="$(qemu-aarch64 -cpu "$processor" "$build/chosen-arm64")" || fail "$processor: $chosen"
        [[ "$chosen" == "$expected" ]] || fail "$processor should compute with $expected, not $chosen"
    done <<'PROCESSORS'
cortex-a53 neon
neoverse-n1 neon_dotprod
max neon_bf16
PROCESSORS
}

x86_64() {
    # What each processor computes with. An illegal instruction, where a processor lacks it, would end the program; the
    # oldest one is plain x86-64.
    compile g++ chosen-x86_64 "$root/tests/emulated/chosen_kernels.cpp"
    emulate() { qemu-x86_64 -cpu "$@" 2> >(grep -v "TCG doesn't support requested feature" >&2); }
    chosen_on() { emulate "$1" "$build/chosen-x86_64"; }
    while read -r processor expected; do
        chosen="$(chosen_on "$processor")" || fail "$processor: $chosen"
        [[ "$chosen" == "$expected" ]] || fail "$processor should compute with $expected, not $chosen"
    done <<'PROCESSORS'
qemu64 sse2
Nehalem sse2
Haswell avx2
Haswell,-fma sse2
Haswell,-avx2 sse2
Haswell,-xsave sse2
EPYC avx2
PROCESSORS
    for forced in avx2 avx512 avx512_bf16 neon nonsense; do
        if message="$(BERT_KERNELS=$forced chosen_on Nehalem)"; then fail "Nehalem took the kernels $forced"; fi
        [[ "$message" == *"\"$forced\" cannot run here; available: sse2, scalar"* ]] ||
            fail "wrong message for $forced on Nehalem: $message"
    done
    [[ "$(BERT_KERNELS=sse2 chosen_on Haswell)" == sse2 ]] || fail "Haswell should have taken the forced sse2"

    compile_tests g++ x86_64
    for processor in qemu64 Nehalem; do emulate "$processor" "$build/x86_64" --gtest_brief=1; done
    # Not those of the kernels, which end at guard pages: QEMU reads what a masked load leaves out.
    emulate Haswell "$build/x86_64" --gtest_brief=1 --gtest_filter='-Available/Kernels*'
}

# One compiler and one emulator each: together they take half as long.
arm64 &
jobs=($!)
x86_64 &
jobs+=($!)
status=0
for job in "${jobs[@]}"; do wait "$job" || status=$?; done
exit "$status"

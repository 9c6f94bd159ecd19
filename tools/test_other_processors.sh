#!/usr/bin/env bash
# Runs the tests of kernels and layers for processors this machine is not: ARM64, and x86-64 without AVX, both under
# qemu-user. (Those for AVX-512 and VNNI are part of the usual tests, on emulated instructions.)
#
# Usage: tools/test_other_processors.sh
# Needs g++-aarch64-linux-gnu, qemu-user, Eigen, nlohmann/json and GoogleTest's sources (Debian: googletest).
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/other"
mkdir -p "$build"
googletest=/usr/src/googletest/googletest
tests=("$root"/tests/unit/core/core_test.cpp "$root"/tests/unit/kernels/kernels_test.cpp
    "$root"/tests/unit/nn/layers_test.cpp)

# -idirafter: of the host's headers, only those that the cross compiler does not have.
compile() {
    local compiler="$1" name="$2"
    "$compiler" -std=c++17 -O2 -static -pthread -I"$root/include" -I"$root/tests/unit" -isystem /usr/include/eigen3 \
        -isystem "$googletest/include" -isystem "$googletest" -idirafter /usr/include \
        "-DBERT_TEST_DATA_DIR=\"$root/tests/golden\"" "$googletest/src/gtest-all.cc" "$googletest/src/gtest_main.cc" \
        "${tests[@]}" -o "$build/$name"
}

compile aarch64-linux-gnu-g++ arm64
qemu-aarch64 "$build/arm64" --gtest_brief=1

# QEMU's oldest 64-bit processor: an illegal instruction where nobody asked for one would end the program.
compile g++ x86_64
qemu-x86_64 -cpu qemu64 "$build/x86_64" --gtest_brief=1

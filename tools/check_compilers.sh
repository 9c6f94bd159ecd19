#!/usr/bin/env bash
# Compiles the example of sentence embeddings from headers alone with compilers and for systems that .ci/run does not have:
# clang 16 to 20 with libc++, and Windows (MinGW), macOS and FreeBSD. The compilers are those in the Python packages of zig.
# Programs for this system are run as well, and have to print what that of the usual compiler prints.
#
# Usage: tools/check_compilers.sh
# Needs python3-venv, Eigen, nlohmann/json and g++; downloads the compilers (80 MB each) and the model into
# ${XDG_CACHE_HOME:-~/.cache}/bert.hpp.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
source tools/wheel.sh # for the name of the cache
build=build/compilers
mkdir -p "$build/include"
ln -sfn /usr/include/nlohmann "$build/include/nlohmann" # of /usr/include nothing else is for another system
model="${BERT_TEST_MODEL_DIR:-$(tools/get_model.sh)}"
options=(-std=c++17 -O2 -Wall -Wextra -Werror -Iinclude -isystem /usr/include/eigen3 -isystem "$build/include")
example=examples/sentence_embedding.cpp

g++ "${options[@]}" "$example" -pthread -o "$build/usual"
"$build/usual" "$model" >"$build/expected"

# Compiles with the clang of a version of zig.
compile() {
    local zig="$1" target="$2" program="$3"
    if [[ ! -x "$cache/zig-$zig/bin/python" ]]; then
        python3 -m venv "$cache/zig-$zig"
        "$cache/zig-$zig/bin/python" -m pip --disable-pip-version-check --no-input install --quiet "ziglang==$zig"
    fi
    "$cache/zig-$zig/bin/python" -m ziglang c++ -target "$target" "${options[@]}" "$example" -o "$program"
    echo "$("$cache/zig-$zig/bin/python" -m ziglang c++ --version | sed -n 's/ (.*//;1p') for $target: compiled"
}

for zig in 0.11.0 0.12.0 0.13.0 0.14.0 0.15.1; do
    # With musl: for glibc, zig 0.11 takes every file for one that is there.
    compile "$zig" "$(uname -m)-linux-musl" "$build/$zig"
    "$build/$zig" "$model" | diff "$build/expected" -
done
for target in x86_64-windows-gnu aarch64-macos x86_64-freebsd; do compile 0.15.1 "$target" "$build/$target"; done

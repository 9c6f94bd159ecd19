#!/usr/bin/env bash
# Builds everything and runs all tests, those on the real model included.
#
# Usage: tools/test.sh [CMAKE_OPTION...]
# Installs what is missing (see tools/install_dependencies.sh) and builds in build/test; options such as -DBERT_WERROR=ON
# go to CMake. The environment variable BERT_TEST_MODEL_DIR may name a folder of all-MiniLM-L6-v2; else the model is
# downloaded into a cache. Where that fails the tests that need it are skipped and reported as such, unless CI is set.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
build="$root/build/test"
say() { echo "test: $*" >&2; }

"$root/tools/install_dependencies.sh" build test
if [[ -z "${BERT_TEST_MODEL_DIR:-}" ]]; then
    BERT_TEST_MODEL_DIR=""
    if ! { "$root/tools/install_dependencies.sh" model && BERT_TEST_MODEL_DIR="$("$root/tools/get_model.sh")"; }; then
        [[ -n "${CI:-}" ]] && exit 1
        say "going on without the real model: the tests that need it will be skipped"
    fi
fi

jobs="$(nproc)"
# Without Ninja (on systems other than Debian) CMake's own choice will do.
generator=()
command -v ninja >/dev/null && [[ ! -e "$build/CMakeCache.txt" ]] && generator=(-G Ninja)
say "building in $build"
# The kernels are in bert::compiled, which is optimised whatever the flags: -O3 for the rest would only take time.
cmake -S "$root" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DCMAKE_CXX_FLAGS_RELEASE="-O1 -DNDEBUG" \
    -DBERT_TEST_MODEL_DIR="$BERT_TEST_MODEL_DIR" "$@" >/dev/null
cmake --build "$build" --parallel "$jobs"
ctest --test-dir "$build" --parallel "$jobs" --output-on-failure --progress

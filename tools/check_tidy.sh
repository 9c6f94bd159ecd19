#!/usr/bin/env bash
# Checks the library with clang-tidy 14 and the list of .clang-tidy: src/ includes every definition.
#
# Usage: tools/check_tidy.sh [FILE...]   (default: src/*.cpp)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
tidy="$(command -v clang-tidy-14 || command -v clang-tidy || true)"
if [[ -z "$tidy" ]]; then
    echo "check_tidy: clang-tidy 14 is needed" >&2
    exit 1
fi
files=("$@")
((${#files[@]} > 0)) || files=(src/*.cpp)
printf '%s\0' "${files[@]}" | xargs -0 -P "$(nproc)" -I '{}' \
    "$tidy" --quiet '{}' -- -std=c++17 -DBERT_COMPILED -Iinclude -isystem /usr/include/eigen3

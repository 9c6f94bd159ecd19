#!/usr/bin/env bash
# What a change has to pass. With --long, what takes hours and therefore is no part of that: other compilers, every fuzz target
# for a time, many more rounds of the tests of determinism and memory, and the lines of include/ that the tests run through.
#
# Usage: tools/check.sh                    the same as .ci/run
#        tools/check.sh --long [SECONDS]   processor time for each fuzz target (default: 1800)
# Needs, for --long, clang, gcovr and python3-venv besides what the tests need.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
case "${1:-}" in
    "") exec .ci/run ;;
    --long) seconds="${2:-1800}" ;;
    *)
        echo "usage: tools/check.sh [--long [SECONDS]]" >&2
        exit 1
        ;;
esac

tools/check_compilers.sh
tools/fuzz.sh "$seconds"

cmake --preset dev >/dev/null
cmake --build --preset dev --target bert_tests bert_trust_tests
BERT_TEST_LONG=1 build/dev/bin/bert_trust_tests --gtest_filter='*Determinism*:Memory.*' --gtest_brief=1

cmake --preset coverage >/dev/null
cmake --build --preset coverage
ctest --preset coverage --parallel "$(nproc)" --progress
# gcov counts some branches as -1, which gcovr takes for an error.
gcovr --root . --filter 'include/bert/' --exclude '.*unicode_tables.*' --gcov-ignore-parse-errors \
    --print-summary build/coverage | tail -40

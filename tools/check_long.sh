#!/usr/bin/env bash
# What takes hours and therefore is no part of .ci/run: every fuzz target for a time, many more rounds of the tests of
# determinism and memory, a short path under valgrind, and the lines of include/ that the tests run through.
#
# Usage: tools/check_long.sh [SECONDS]   processor time for each fuzz target (default: 1800)
# Needs clang, valgrind and gcovr besides what the tests need.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds="${1:-1800}"

tools/fuzz.sh "$seconds"

cmake --preset dev >/dev/null
cmake --build --preset dev --target bert_tests bert_trust_tests
BERT_TEST_LONG=1 build/dev/bin/bert_trust_tests --gtest_filter='*Determinism*:Memory.*' --gtest_brief=1
# It knows no AVX-512, and says so to programs that ask.
valgrind --quiet --error-exitcode=1 --leak-check=full \
    build/dev/bin/bert_tests --gtest_filter='*GoldenModel*base*:Tokenizer.*' --gtest_brief=1

cmake --preset coverage >/dev/null
cmake --build --preset coverage
ctest --preset coverage --parallel "$(nproc)" --progress
# gcov counts some branches as -1, which gcovr takes for an error.
gcovr --root . --filter 'include/bert/' --exclude '.*unicode_tables.*' --gcov-ignore-parse-errors \
    --print-summary build/coverage | tail -40

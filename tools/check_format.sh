#!/usr/bin/env bash
# Checks that all C++ files are formatted as .clang-format says, and all shell scripts are clean.
#
# Usage: tools/check_format.sh [--fix]     (--fix formats the C++ files in place)
# Needs clang-format 14, as other versions format differently; shellcheck is used where it is installed.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
formatter="$(command -v clang-format-14 || command -v clang-format || true)"
if [[ -z "$formatter" ]] || ! "$formatter" --version | grep -q 'version 14\.'; then
    echo "check_format: clang-format 14 is needed" >&2
    exit 1
fi
mode=(--dry-run -Werror)
[[ "${1:-}" == --fix ]] && mode=(-i)

# unicode_tables.hpp is generated, and large enough to take the formatter minutes.
git ls-files -z --cached --others --exclude-standard '*.hpp' '*.ipp' '*.cpp' '*.inl' ':!include/bert/text/unicode_tables.hpp' |
    xargs -0 "$formatter" "${mode[@]}"
if command -v shellcheck >/dev/null; then
    git ls-files -z --cached --others --exclude-standard '*.sh' '.ci/run' | xargs -0 shellcheck -x -P SCRIPTDIR:.
fi

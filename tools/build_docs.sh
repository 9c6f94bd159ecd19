#!/usr/bin/env bash
# Builds the documentation site from docs/ and the docstrings of the headers.
#
# Usage: tools/build_docs.sh [--check] [FOLDER]     (FOLDER: where the site goes, by default build/docs)
# --check writes no site: it fails where a public name has no docstring, or where a docstring or a link is wrong. Needs
# Doxygen; the site also needs the theme doxygen-awesome-css. Exit codes: 0 all well, 1 not, 77 Doxygen is missing.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
say() { echo "build_docs: $*" >&2; }

check=false
if [[ "${1:-}" == --check ]]; then
    check=true
    shift
fi
output="${1:-build/docs}"
theme=/usr/share/doxygen-awesome-css
if ! command -v doxygen >/dev/null; then
    say "doxygen is missing (tools/install_dependencies.sh docs)"
    exit 77
fi

version="$(sed -n 's/#define BERT_VERSION_[A-Z]* \([0-9]*\)/\1/p' include/bert/version.hpp | paste -sd.)"
export BERT_VERSION="$version"
export BERT_DOCS_OUTPUT="$output" BERT_DOCS_HTML=YES BERT_DOCS_STYLE=""
mkdir -p "$output"
if ! $check; then
    if [[ ! -e "$theme/doxygen-awesome.css" ]]; then
        say "the theme doxygen-awesome-css is missing (tools/install_dependencies.sh docs)"
        exit 1
    fi
    BERT_DOCS_STYLE="$theme/doxygen-awesome.css $theme/doxygen-awesome-sidebar-only.css"
fi
log="$(mktemp)"
scratch="$(mktemp -d)"
trap 'rm -rf "$log" "$scratch"' EXIT
$check && BERT_DOCS_OUTPUT="$scratch"
doxygen docs/Doxyfile 2>"$log"
if grep -v '^$' "$log" >&2; then
    say "the warnings above are to be mended"
    exit 1
fi
$check || say "the site begins at $output/index.html"

# shellcheck shell=bash
# What the scripts share that get a Python package for the files in it. Not a program: they read it with `source`.
# The cache is ${XDG_CACHE_HOME:-~/.cache}/bert.hpp.

home=~ # the user's, even where HOME is not set
cache="${XDG_CACHE_HOME:-$home/.cache}/bert.hpp"

say() { echo "$(basename "$0" .sh): $*" >&2; }

# Downloads the package REQUIREMENT (called NAME in messages) into "$temporary", a folder that goes with the script. That
# lies in the cache itself, so that the last step can be a rename within one file system.
# Usage: download_wheel NAME REQUIREMENT [OPTION OF PIP...]
# Exits: 3 the download failed, 1 anything else.
download_wheel() {
    local name="$1" requirement="$2"
    shift 2
    if ! python3 -m pip --version >/dev/null 2>&1; then
        say "pip is needed to download $name (Debian and Ubuntu: apt-get install python3-pip)"
        exit 1
    fi
    mkdir -p "$cache"
    temporary="$(mktemp -d "$cache/download.XXXXXX")"
    trap 'rm -rf "$temporary"' EXIT
    say "downloading $name"
    if ! python3 -m pip --disable-pip-version-check --no-input download --quiet --no-deps --no-cache-dir --retries 2 \
        --only-binary=:all: "$@" --dest "$temporary" "$requirement" >"$temporary/log" 2>&1; then
        grep -v '^ *$' "$temporary/log" | tail -n 3 >&2 || true
        say "could not download $name. Is this machine offline? A folder that holds it can be given instead."
        exit 3
    fi
}

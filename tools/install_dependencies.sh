#!/usr/bin/env bash
# Installs what the given purposes need and this machine lacks, with apt.
#
# Usage: tools/install_dependencies.sh PURPOSE...
#   build   compiler, CMake, Ninja, Eigen, nlohmann/json
#   model   what tools/get_model.sh downloads with
#   test    GoogleTest, CLI11, Google Benchmark, SIMDe, libraries of the command line tool and what the tests run
#   docs    Doxygen and the theme of tools/build_docs.sh
#   ci      the second compiler, formatter, script checker, valgrind and emulator of .ci/run
#
# Needs root or sudo only where something is missing. Exit codes: 0 all there, 1 wrong call, 5 something is missing and
# cannot be installed here (the message says what).
set -euo pipefail

say() { echo "install_dependencies: $*" >&2; }

# Packages of Debian and Ubuntu for a purpose, each as "package" or "package:command": with a command, any program of
# that name will do.
packages_for() {
    case "$1" in
        build) echo g++:c++ cmake:cmake ninja-build:ninja libeigen3-dev nlohmann-json3-dev ;;
        model) echo ca-certificates python3:python3 python3-pip ;;
        test)
            echo libgtest-dev libcli11-dev libbenchmark-dev libsimde-dev python3:python3 git:git
            echo libxxhash-dev libhnswlib-dev libsqlite3-dev groff-base:groff libcurl4-openssl-dev libssl-dev pkgconf:pkg-config
            ;;
        docs) echo doxygen:doxygen doxygen-awesome-css ;;
        ci)
            echo g++:g++ clang:clang++ libclang-rt-14-dev clang-format-14 clang-tidy-14 shellcheck:shellcheck ccache:ccache
            echo valgrind:valgrind g++-aarch64-linux-gnu qemu-user googletest python3-numpy python3-venv
            ;;
        *)
            say "unknown purpose \"$1\" (build, model, test, docs, ci)"
            exit 1
            ;;
    esac
}

is_installed() {
    [[ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" == installed ]]
}

# Whether the requirement is met, by a package or by other means.
is_met() {
    local package="${1%%:*}" command="${1#*:}"
    if [[ "$1" == *:* ]] && command -v "$command" >/dev/null; then return 0; fi
    if [[ "$package" == python3-numpy ]] && python3 -c "import numpy" 2>/dev/null; then return 0; fi
    if [[ "$package" == python3-pip ]] && python3 -m pip --version >/dev/null 2>&1; then return 0; fi
    if [[ "$package" == ca-certificates && -e /etc/ssl/certs/ca-certificates.crt ]]; then return 0; fi
    command -v dpkg-query >/dev/null && is_installed "$package"
}

if (($# == 0)); then
    say "name a purpose: build, model, test, docs, ci"
    exit 1
fi

missing=()
for purpose in "$@"; do
    list="$(packages_for "$purpose")"
    for requirement in $list; do
        is_met "$requirement" || missing+=("${requirement%%:*}")
    done
done
((${#missing[@]} == 0)) && exit 0

if ! command -v apt-get >/dev/null; then
    # Another system: headers may be where CMake finds them, so only missing programs are final.
    say "this machine has no apt; if the build fails, install what these Debian packages hold: ${missing[*]}"
    exit 0
fi
as_root=()
if ((EUID != 0)); then
    if ! command -v sudo >/dev/null; then
        say "please have an administrator run: apt-get install --no-install-recommends ${missing[*]}"
        exit 5
    fi
    as_root=(sudo)
fi

say "installing ${missing[*]}"
log="$(mktemp)"
trap 'rm -f "$log"' EXIT
apt() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qq -o Acquire::Retries=3 -o DPkg::Lock::Timeout=120 "$@" \
        </dev/null >"$log" 2>&1
}
install() { apt install -y --no-install-recommends "${missing[@]}"; }
# Package lists may be absent, as in fresh containers, or too old.
if ! { apt update && install; } && ! install; then
    cat "$log" >&2
    say "could not install ${missing[*]}"
    exit 5
fi

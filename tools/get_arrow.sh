#!/usr/bin/env bash
# Gets the Arrow C++ library (55 MB) into a per-user cache, and prints the folder to configure with:
# cmake -DBERT_PYARROW_DIR="$(tools/get_arrow.sh)". For systems whose packages do not have it, such as Debian.
#
# Usage: tools/get_arrow.sh
# The cache is ${XDG_CACHE_HOME:-~/.cache}/bert.hpp. The library comes out of the Python package pyarrow for x86-64 Linux,
# which is downloaded with pip and not installed.
# Exit codes: 0 done, 3 the download failed (offline?), 4 what arrived is not the known package, 1 anything else.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/wheel.sh"

version=26.0.1
package_hash=39cb0f2418282c24bea6ceda77b03e5a8f0a5766b63a8bf194d4e2a2c423548c
folder="$cache/pyarrow-$version/pyarrow"

# The folder takes its name only once it is complete.
if [[ -d "$folder" ]]; then
    echo "$folder"
    exit 0
fi

download_wheel "pyarrow $version (55 MB)" "pyarrow==$version" --python-version 3.11 --platform manylinux_2_28_x86_64
if ! echo "$package_hash  $(echo "$temporary"/*.whl)" | sha256sum --check --quiet >/dev/null 2>&1; then
    say "what was downloaded is not the known package"
    exit 4
fi
python3 -m zipfile -e "$temporary"/*.whl "$temporary/package"
mv --no-target-directory "$temporary/package" "$cache/pyarrow-$version" 2>/dev/null || true # unless another did the same
[[ -d "$folder" ]] || { say "could not put the library into $folder"; exit 1; }
echo "$folder"

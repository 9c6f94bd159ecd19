"""Builds the user's program as those without CMake do: by pkg-config with what is installed, and with the one header
that tools/amalgamate.py writes, inline and compiled once.

Usage: without_cmake_test.py SOURCE_FOLDER COMPILER PREFIX INCLUDE_FOLDER...
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

source, compiler, prefix, *includes = sys.argv[1:]
program = Path(source, "tests", "consumer", "program.cpp")


def run(*command, **options):
    return subprocess.run([str(part) for part in command], check=True, text=True, **options)


def build_and_run(folder, *flags):
    run(compiler, "-std=c++17", program, *flags, "-o", Path(folder, "program"))
    output = run(Path(folder, "program"), capture_output=True).stdout
    if "no such folder" not in output:
        sys.exit(f"unexpected output: {output}")


with tempfile.TemporaryDirectory() as folder:
    # Both modules, wherever the files were moved to.
    (packages,) = {path.parent for path in Path(prefix).rglob("bert*.pc")}
    environment = {**os.environ, "PKG_CONFIG_PATH": str(packages)}
    for module in ("bert", "bert-compiled"):
        answer = run("pkg-config", "--cflags", "--libs", module, env=environment, capture_output=True)
        # A folder's name may have a blank, which pkg-config quotes with a backslash.
        flags = [flag.replace("\0", " ") for flag in answer.stdout.replace("\\ ", "\0").split()]
        build_and_run(folder, *flags)

    run(sys.executable, Path(source, "tools", "amalgamate.py"), "-o", Path(folder, "bert", "bert.hpp"))
    flags = [f"-I{folder}", *(f"-isystem{path}" for path in includes if path != "/usr/include"), "-pthread"]
    build_and_run(folder, *flags)
    Path(folder, "definitions.cpp").write_text("#define BERT_IMPLEMENTATION\n#include <bert/bert.hpp>\n")
    run(compiler, "-std=c++17", "-c", Path(folder, "definitions.cpp"), *flags, "-o", Path(folder, "definitions.o"))
    build_and_run(folder, "-DBERT_COMPILED", *flags, Path(folder, "definitions.o"))

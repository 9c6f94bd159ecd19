"""Compiles and runs the program that README.md shows first, and compiles all other C++ of README.md and docs/tasks.md.

Usage: readme_test.py SOURCE_FOLDER COMPILER MODEL_FOLDER INCLUDE_FOLDER...
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

source, compiler, model, *includes = sys.argv[1:]


def blocks(document):
    return re.findall(r"```cpp\n(.*?)```", Path(source, document).read_text(encoding="utf-8"), re.S)


snippets = blocks("README.md") + blocks("docs/tasks.md")
programs = [block for block in snippets if "int main" in block]
if not programs:
    sys.exit("README.md shows no program")
# Each other block by itself, with what it takes for granted.
parts = "#include <bert/bert.hpp>\n#include <cstdio>\n" + "".join(
    f"void part{i}(const std::string& text, const std::vector<std::string>& texts) {{\n(void)text, (void)texts;\n{block}}}\n"
    for i, block in enumerate(block for block in snippets if "int main" not in block)
)

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "program.cpp").write_text(programs[0], encoding="utf-8")
    Path(folder, "parts.cpp").write_text(parts, encoding="utf-8")
    os.symlink(Path(model).resolve(), Path(folder, "all-MiniLM-L6-v2"))
    flags = [f"-I{path}" for path in [Path(source, "include"), *includes] if str(path) != "/usr/include"]
    command = [compiler, "-std=c++17", *flags]
    subprocess.run([*command, "-fsyntax-only", "parts.cpp"], cwd=folder, check=True)
    subprocess.run([*command, "-O2", "program.cpp", "-pthread", "-o", "program"], cwd=folder, check=True)
    output = subprocess.run(["./program"], cwd=folder, check=True, capture_output=True, text=True).stdout
print(output, end="")
if not 0 < float(output) < 0.6:
    sys.exit("the two sentences should be somewhat alike")

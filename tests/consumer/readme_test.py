"""Compiles and runs the program that README.md shows first.

Usage: readme_test.py SOURCE_FOLDER COMPILER MODEL_FOLDER INCLUDE_FOLDER...
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

source, compiler, model, *includes = sys.argv[1:]
readme = Path(source, "README.md").read_text(encoding="utf-8")
blocks = [block for block in re.findall(r"```cpp\n(.*?)```", readme, re.S) if "int main" in block]
if not blocks:
    sys.exit("README.md shows no program")

with tempfile.TemporaryDirectory() as folder:
    Path(folder, "program.cpp").write_text(blocks[0], encoding="utf-8")
    os.symlink(Path(model).resolve(), Path(folder, "all-MiniLM-L6-v2"))
    flags = [f"-I{path}" for path in [Path(source, "include"), *includes] if str(path) != "/usr/include"]
    subprocess.run([compiler, "-std=c++17", "-O2", *flags, "program.cpp", "-pthread", "-o", "program"], cwd=folder, check=True)
    output = subprocess.run(["./program"], cwd=folder, check=True, capture_output=True, text=True).stdout
print(output, end="")
if not 0 < float(output) < 0.6:
    sys.exit("the two sentences should be somewhat alike")

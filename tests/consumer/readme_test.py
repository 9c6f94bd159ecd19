"""Compiles and runs what the documents show.

README.md's program is built with the README's command, from headers alone; other programs link bert::compiled. Other C++ is
compiled. Commands of docs/faq.md, docs/recipes.md and docs/migration.md are run. Where a block of text follows a program or
commands, it is what they print.

Usage: readme_test.py SOURCE_FOLDER COMPILER MODEL_FOLDER COMPILED_LIBRARY BERT INCLUDE_FOLDER...
COMPILED_LIBRARY and BERT, the command line tool, may be empty: then what needs them is left out.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

source, compiler, model, library, tool, *includes = sys.argv[1:]
source = Path(source).resolve()
DOCUMENTS = ["README.md", "docs/tasks.md", "docs/faq.md", "docs/recipes.md", "docs/migration.md"]
RUN = DOCUMENTS[2:]
# Names of models that programs open, and what stands in for them.
MODELS = {"all-MiniLM-L6-v2": Path(model).resolve(), "bert-base-NER": source / "tests/golden/heads/token_classifier"}
INPUT = "Ada wrote to Charles.\n\nfree memory: 17 MB\n"

# Language, code, and the text that follows, if any does.
FENCE = re.compile(r"^```(\w+)\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.S | re.M)
blocks = [(name, *match.groups()) for name in DOCUMENTS for match in FENCE.finditer((source / name).read_text("utf-8"))]
programs = [(name, code, output) for name, language, code, output in blocks if language == "cpp" and "int main" in code]
commands = [(name, code, output) for name, language, code, output in blocks if language == "sh" and name in RUN]
parts = [code for _, language, code, _ in blocks if language == "cpp" and "int main" not in code]
if not programs or programs[0][0] != "README.md" or len(programs) < 3 or len(commands) < 4 or len(parts) < 4:
    sys.exit("the documents lack what this is to test")


def check(name, code, expected, result):
    if result.returncode != 0:
        sys.exit(f"{name}: status {result.returncode}\n{code}\n{result.stdout}{result.stderr}")
    if expected is not None and result.stdout != expected:
        sys.exit(f"{name}: printed\n{result.stdout}instead of\n{expected}\n{code}")
    return result.stdout


with tempfile.TemporaryDirectory() as folder:
    environment = dict(os.environ)

    def run(command, **more):
        return subprocess.run(command, cwd=folder, capture_output=True, text=True, env=environment, **more)

    for name, target in MODELS.items():
        os.symlink(target, Path(folder, name))
    flags = [f"-I{path}" for path in [source / "include", *includes] if str(path) != "/usr/include"]
    compile_with = [compiler, "-std=c++17", *flags]

    # Each of these by itself, with what it takes for granted.
    text = "#include <bert/bert.hpp>\n#include <cstdio>\n" + "".join(
        "void part%d(const std::string& text, const std::vector<std::string>& texts) {\n(void)text, (void)texts;\n%s}\n"
        % (number, code) for number, code in enumerate(parts))
    Path(folder, "parts.cpp").write_text(text, encoding="utf-8")
    subprocess.run([*compile_with, "-DBERT_COMPILED", "-fsyntax-only", "parts.cpp"], cwd=folder, check=True)

    for number, (name, code, expected) in enumerate(programs):
        Path(folder, "program.cpp").write_text(code, encoding="utf-8")
        if number == 0:
            link = ["-O2", "program.cpp", "-pthread", "-o", "program"]
        elif library:
            link = ["-DBERT_COMPILED", "program.cpp", library, "-pthread", "-o", "program"]
        else:
            continue
        subprocess.run([*compile_with, *link], cwd=folder, check=True)
        printed = check(name, code, expected, run(["./program"], input=INPUT))
        if number == 0 and not 0 < float(printed) < 0.6:
            sys.exit("the two sentences should be somewhat alike")
        if name == "docs/recipes.md" and expected is None and len(printed.splitlines()) != len(INPUT.splitlines()):
            sys.exit(f"{name}: a line in should be a line out\n{printed}")

    if tool:
        os.mkdir(Path(folder, "bin"))
        os.symlink(Path(tool).resolve(), Path(folder, "bin", "bert"))
        environment["PATH"] = f"{folder}/bin:{environment['PATH']}"
        for name, code, expected in commands:
            check(name, code, expected, run(["bash", "-euo", "pipefail", "-c", code], stdin=subprocess.DEVNULL))
print(f"{len(programs)} programs, {len(parts)} other pieces of C++ and {len(commands)} pieces of shell")

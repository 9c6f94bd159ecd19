#!/usr/bin/env python3
"""Writes the whole library as one header, which needs Eigen and nlohmann/json beside it and nothing else of this project.

Usage: tools/amalgamate.py [-o FILE]   (default: build/bert.hpp)
"""
import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HEADERS = ROOT / "include"
START = "bert/bert.hpp"

INCLUDE = re.compile(r"\s*#\s*include\s*<(bert/[^>]+)>")
# Where x.hpp reads its definitions.
DEFINITIONS = re.compile(r"#if !defined\(BERT_COMPILED\)\n#include <(bert/[^>]+\.ipp)>\n#endif\n")


def expand(name, seen, definitions):
    """The lines of a file with those of the project's files that it includes; of what was read before, none. Names of
    the files with definitions are collected instead."""
    text = (HEADERS / name).read_text(encoding="utf-8")
    if "#pragma once\n" in text:
        if name in seen:
            return
        seen.add(name)
        text = text.replace("#pragma once\n", "", 1)
    yield f"// ---- {name}"
    definitions += DEFINITIONS.findall(text)
    conditions = 0
    for line in DEFINITIONS.sub("", text).splitlines():
        conditions += bool(re.match(r"\s*#\s*if", line)) - bool(re.match(r"\s*#\s*endif", line))
        match = INCLUDE.match(line)
        if match is None:
            yield line
            continue
        # Written once, it would be missing where the condition does not hold. (.inl files are written every time.)
        if conditions > 0 and not match.group(1).endswith(".inl"):
            sys.exit(f"{name}: {match.group(1)} is included under a condition")
        yield from expand(match.group(1), seen, definitions)


def amalgamate():
    version = (HEADERS / "bert" / "version.hpp").read_text(encoding="utf-8")
    number = ".".join(re.findall(r"#define BERT_VERSION_(?:MAJOR|MINOR|PATCH) (\d+)", version))
    yield f"// bert.hpp {number}, all of it in one file, written by tools/amalgamate.py."
    yield "// Needs Eigen 3.4 and nlohmann/json 3.11, both headers alone. Licence: Apache-2.0."
    yield "// Programs of several files define BERT_COMPILED in all of them but one, and BERT_IMPLEMENTATION in that one:"
    yield "// then it is compiled once."
    yield "#pragma once"
    yield ""
    seen, definitions = set(), []
    yield from expand(START, seen, definitions)
    yield "#if !defined(BERT_COMPILED)"
    for name in definitions:  # which grows, for definitions may need headers that nobody read before
        yield from expand(name, seen, definitions)
    yield "#endif"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", type=Path, default=ROOT / "build" / "bert.hpp")
    output = parser.parse_args().output
    text = re.sub(r"\n{3,}", "\n\n", "\n".join(amalgamate()) + "\n")
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    print(f"{output}: {text.count(chr(10))} lines", file=sys.stderr)


if __name__ == "__main__":
    main()

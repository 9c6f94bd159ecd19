#!/usr/bin/env python3
"""Checks the shape of the source tree: who may include whom, what headers must not do, and how long files may be.

Usage: check_layers.py ROOT. Prints one line per violation and exits with 1 if there is any. Needs Python alone.
"""
import re
import sys
from pathlib import Path

# The folders of include/bert that a folder may include, besides itself. "" stands for include/bert itself, where
# version, config and error live.
LAYERS = {
    "": set(),
    "core": {""},
    "kernels": {"", "core"},
    "io": {"", "core"},
    "text": {"", "core", "io"},
    "nn": {"", "core", "kernels", "io", "text"},
    "model": {"", "core", "kernels", "io", "text", "nn"},
    "tasks": {"", "core", "kernels", "io", "text", "nn", "model"},
}
UMBRELLA = "bert.hpp"
GENERATED = {"text/unicode_tables.hpp"}
MAX_LINES = 600
SOURCES = ("include", "src", "cli", "examples", "bench", "tests", "fuzz")

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', re.MULTILINE)
FORBIDDEN = re.compile(
    r"(?<![\w.])(?:std::)?(printf|fprintf|puts|putchar|fputs|abort|_Exit|quick_exit|terminate)\s*\("
    r"|(?<![\w.>])(?:std::)?(exit)\s*\("
    r"|std::(cout|cerr|clog)\b"
)


def without_comments(text):
    """The code with comments and string literals blanked out, line numbers kept."""
    token = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.DOTALL)
    return token.sub(lambda m: re.sub(r"[^\n]", " ", m.group()), text)


def check(root):
    problems = []
    headers = root / "include" / "bert"

    def report(path, line, message):
        problems.append(f"{path.relative_to(root)}:{line}: {message}")

    included_by_umbrella = set()
    files = sorted(p for p in headers.rglob("*") if p.suffix in (".hpp", ".ipp", ".inl"))
    if not files:
        problems.append(f"{headers}: no headers found")
    for path in files:
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(headers).as_posix()
        layer = name.split("/")[0] if "/" in name else ""
        if layer not in LAYERS:
            report(path, 1, f"folder {layer} has no place in the layer order")
            continue
        for match in INCLUDE.finditer(text):
            line = text.count("\n", 0, match.start()) + 1
            quoted, target = match.group(1) == '"', match.group(2)
            if quoted and path.suffix != ".inl":
                report(path, line, f'"{target}" should be included as <bert/...>')
            if target.startswith("nlohmann/") and name != "io/json.hpp":
                report(path, line, "nlohmann/json is included by io/json.hpp alone")
            if target.startswith("Eigen/") and layer == "kernels":
                report(path, line, "kernels never include Eigen")
            if not target.startswith("bert/"):
                continue
            target = target[len("bert/"):]
            if not (headers / target).is_file():
                report(path, line, f"bert/{target} does not exist")
            if name == UMBRELLA:
                included_by_umbrella.add(target)
                continue
            if target == UMBRELLA:
                report(path, line, "the umbrella header is for users")
            other = target.split("/")[0] if "/" in target else ""
            if other != layer and other not in LAYERS[layer]:
                report(path, line, f"{layer or 'the base'} must not include {other}")
        code = without_comments(text)
        for match in FORBIDDEN.finditer(code):
            what = next(group for group in match.groups() if group)
            report(path, code.count("\n", 0, match.start()) + 1, f"a library neither prints nor ends the program: {what}")
        if path.suffix != ".inl" and "#pragma once" not in text:
            report(path, 1, "#pragma once is missing")

    def reached(without):
        """What the umbrella includes, directly or through others."""
        names, waiting = set(), [UMBRELLA]
        while waiting:
            name = waiting.pop()
            if name in names or name.endswith(without) or not (headers / name).is_file():
                continue
            names.add(name)
            for _, target in INCLUDE.findall((headers / name).read_text(encoding="utf-8")):
                if target.startswith("bert/"):
                    waiting.append(target[len("bert/"):])
        return names

    included = reached(without=".none")
    for path in files:
        if path.suffix != ".inl" and path.relative_to(headers).as_posix() not in included:
            report(path, 1, f"is not reached from bert/{UMBRELLA}")
    if "io/json.hpp" in reached(without=".ipp"):
        problems.append(f"{UMBRELLA}: without definitions, nothing should include io/json.hpp")

    # What bert::compiled is made of.
    sources = "".join(p.read_text(encoding="utf-8") for p in sorted((root / "src").glob("*.cpp")))
    compiled = [target for _, target in INCLUDE.findall(sources)]
    for path in files:
        name = "bert/" + path.relative_to(headers).as_posix()
        if path.suffix == ".ipp" and compiled.count(name) != 1:
            report(path, 1, f"is included {compiled.count(name)} times in src, not once")

    for folder in SOURCES:
        for path in sorted((root / folder).rglob("*")):
            if path.suffix not in (".hpp", ".ipp", ".inl", ".cpp"):
                continue
            lines = path.read_text(encoding="utf-8").splitlines()
            if not lines or not lines[0].startswith("//"):
                report(path, 1, "a file opens with a comment: what lives here, what it may depend on")
            generated = folder == "include" and path.relative_to(headers).as_posix() in GENERATED
            if len(lines) > MAX_LINES and not generated:
                report(path, MAX_LINES, f"{len(lines)} lines; at most {MAX_LINES} are allowed")
    return problems


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = check(Path(sys.argv[1]).resolve())
    print("\n".join(problems) if problems else "the layers are in order")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Checks the tables of tasks in README.md and docs/tasks.md: they agree, and what they name exists.

Usage: check_task_tables.py ROOT. Prints one line per problem and exits with 1 if there is any. Needs Python alone.
"""
import re
import sys
from pathlib import Path

SHARED = ["Task", "Model classes", "Example", "Command", "Deviation"]


def table(path):
    """The rows of the first table whose first column is "Task", each a dictionary by column, and the columns."""
    lines = path.read_text(encoding="utf-8").splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split("|")] if line.startswith("|") else None for line in lines]
    start = next((i for i, row in enumerate(cells) if row and row[0] == "Task"), None)
    if start is None:
        return [], []
    rows = []
    for row in cells[start + 2 :]:
        if row is None:
            break
        rows.append(dict(zip(cells[start], row)))
    return rows, cells[start]


def check(root):
    problems = []
    readme, readme_columns = table(root / "README.md")
    guide, guide_columns = table(root / "docs" / "tasks.md")
    for name, columns in (("README.md", readme_columns), ("docs/tasks.md", guide_columns)):
        problems += [f"{name}: the table of tasks has no column {column}" for column in SHARED if column not in columns]
    if problems:
        return problems
    shared = lambda rows: [{column: row[column] for column in SHARED} for row in rows]
    for ours, theirs in zip(shared(readme), shared(guide)):
        if ours != theirs:
            problems.append(f"README.md says {ours}, docs/tasks.md {theirs}")
    if len(readme) != len(guide):
        problems.append(f"README.md has {len(readme)} tasks, docs/tasks.md {len(guide)}")

    headers = "".join(p.read_text(encoding="utf-8") for p in (root / "include" / "bert" / "tasks").rglob("*.hpp"))
    tool = "".join(p.read_text(encoding="utf-8") for p in (root / "cli").glob("*.cpp"))
    examples = (root / "examples" / "CMakeLists.txt").read_text(encoding="utf-8")
    for row in guide:
        where = f"docs/tasks.md: {row['Task']}: "
        if not re.search(r"\d|the same", row["Deviation"]):
            problems.append(where + "no deviation")
        for name in re.findall(r"`(\w+)`", row["Class"]):
            if not re.search(rf"(\b(class|struct) {name}\b|^[\w:][^\n(]* {name}\()", headers, re.MULTILINE):
                problems.append(where + f"{name} is nowhere in include/bert/tasks")
        for command in re.findall(r"`bert ([\w-]+)", row["Command"]):
            if f'add_subcommand("{command}"' not in tool:
                problems.append(where + f"there is no command {command}")
        for example in re.findall(r"`(\w+)\.cpp`", row["Example"]) or ["(none)"]:
            if not re.search(rf"\({example} ", examples):
                problems.append(where + f"example {example} is not built")
    return problems


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    problems = check(Path(sys.argv[1]).resolve())
    print("\n".join(problems) if problems else "the tables agree")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

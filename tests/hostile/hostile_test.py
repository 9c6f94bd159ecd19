"""Opens every folder of make_hostile_folders.py and compares what comes of it with what is expected: a named error or
success, in little time and memory, with the weights mapped and with them copied.

Usage: hostile_test.py OPEN_FOLDER_PROGRAM GOLDEN_FOLDER [--sanitized] [NAME_PART]

--sanitized: the program is built with sanitizers, which need any amount of address space and several times the time.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

# Address space that the program takes to open nothing and then the good folder: itself and its libraries.
BASE_MEMORY = 96 << 20
# Bytes of memory per byte of the folder's files, at most: parsed, JSON and vocabularies take several times their size.
MEMORY_PER_BYTE = 30
SECONDS = 2
# A processor that is shared with other machines may be several times slower for a while: a case that takes too long is
# tried again. Those here take half a second at most.
TRIES = 3
# What the program itself takes.
RESIDENT_ALWAYS = 8 << 20


def folder_size(folder):
    """Bytes of all files of a folder, links followed, or of one file; sparse ones count with what they take."""
    paths = [Path(directory) / name for directory, _, files in os.walk(folder, followlinks=False) for name in files]
    sizes = [path.stat() for path in paths or [Path(folder)] if path.is_file()]
    return sum(min(size.st_size, size.st_blocks * 512 + 4096) for size in sizes)


def limit(memory, seconds):
    def set_limits():
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 1))
        if memory:
            resource.setrlimit(resource.RLIMIT_AS, (memory, memory))

    return set_limits


def run(program, case, memory, sanitized, copied):
    """Exit code, what came of it, its message, the KiB that were resident, what was written about errors."""
    for _ in range(TRIES):
        result = subprocess.run(
            [program, case["opener"], case["folder"]] + ["copy"] * copied,
            capture_output=True,
            timeout=120,
            preexec_fn=limit(memory, SECONDS * (10 if sanitized else 1)),
        )
        if result.returncode not in (-signal.SIGXCPU, -signal.SIGKILL):
            break
    output, _, resident = result.stdout.decode(errors="replace").strip().rpartition("\n")
    kind, _, message = output.partition("\t")
    return result.returncode, kind, message, resident, result.stderr.decode(errors="replace")[-2000:]


def problem(case, code, kind, message, errors):
    """What is wrong with an outcome, or nothing."""
    if code != 0:
        return f"exit code {code}: {errors}"
    if kind != (case["kind"] or "ok") and case["kind"] != "any":
        return f"expected {case['kind'] or 'success'}, given {kind}: {message}"
    missing = [text for text in case["message"] if text not in message]
    return f"the message lacks {missing}: {message}" if missing else None


def main():
    arguments = [a for a in sys.argv[1:] if a != "--sanitized"]
    sanitized = len(arguments) < len(sys.argv) - 1
    program, golden = arguments[:2]
    failures, opened, most = 0, 0, (0, "nothing")
    with tempfile.TemporaryDirectory() as folder:
        maker = Path(__file__).with_name("make_hostile_folders.py")
        subprocess.run([sys.executable, maker, golden, folder, *arguments[2:]], check=True)
        for case in json.loads((Path(folder) / "cases.json").read_text()):
            size = folder_size(case["folder"])
            limited = not sanitized and not case["unlimited"]
            for copied in (False, True) if not case["unlimited"] else (False,):
                memory = BASE_MEMORY + MEMORY_PER_BYTE * size if limited else None
                opened += 1
                try:
                    code, kind, message, resident, errors = run(program, case, memory, sanitized, copied)
                    wrong = problem(case, code, kind, message, errors)
                except subprocess.TimeoutExpired:
                    wrong = "hangs"
                if wrong:
                    failures += 1
                    print(f"{case['name']}{' (copied)' if copied else ''}: {wrong}")
                elif size > 1 << 20:
                    most = max(most, ((int(resident) * 1024 - RESIDENT_ALWAYS) / size, case["name"]))
    if not sanitized:
        print(f"most memory: {most[0]:.1f} bytes per byte of the folder ({most[1]})")
    print(f"{opened} folders opened, {failures} not as expected")
    sys.exit(failures != 0 or opened == 0)


if __name__ == "__main__":
    main()

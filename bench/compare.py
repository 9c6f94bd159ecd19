#!/usr/bin/env python3
"""Compares bert.hpp with other runtimes on the same models, texts and threads, and writes docs/performance.md.

Everything is made by this one command: the programs (in build/bench), a Python environment with pinned versions of the
other runtimes, the models in each one's form, the measurements, tables and plots. See bench/README.md.

Results are kept in performance.json beside the report, so that a part can be measured again and is merged with the rest;
the machine has to be the same.
"""

import argparse
import datetime
import hashlib
import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
import sys
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bert.hpp"
ENVIRONMENT = HOME / "bench-venv"
SECTIONS = ["cells", "tokenizers", "load", "program", "shares", "roofline", "quality"]
PROGRAMS = ["bert_bench_runner", "bert_bench_kernels", "bert_bench_shares"]
# Sets that decide which kernels a runtime can choose.
TELLING_FLAGS = ["fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
                 "amx_bf16", "amx_int8", "asimddp", "i8mm", "bf16", "sve"]
PACKAGES = ["onnxruntime", "openvino", "nncf", "ctranslate2", "torch", "transformers", "sentence-transformers",
            "tokenizers", "flash-tokenizer", "blingfire"]


def say(*words):
    print("compare:", *words, file=sys.stderr, flush=True)


def enter_environment():
    """Goes on in the environment with the other runtimes, which is made where it is missing or out of date."""
    python = ENVIRONMENT / "bin" / "python"
    wanted = "".join((HERE / name).read_text() for name in ("requirements.txt", "requirements-tokenizers.txt"))
    stamp = ENVIRONMENT / "installed-requirements.txt"
    if not stamp.exists() or stamp.read_text() != wanted:
        say(f"installing the other runtimes in {ENVIRONMENT} (6.5 GB)")
        if not python.exists():
            venv.create(ENVIRONMENT, with_pip=True)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        # Tokenizers without a package for this machine are left out, and the report says so.
        for line in (HERE / "requirements-tokenizers.txt").read_text().splitlines():
            if line and not line.startswith("#") and subprocess.run([*pip, line]).returncode != 0:
                say(f"going on without {line}")
        stamp.write_text(wanted)
    if Path(sys.prefix).resolve() != ENVIRONMENT.resolve():
        os.execv(python, [python, "-B", *sys.argv])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sections", nargs="*", metavar="SECTION",
                        help="what to measure: " + ", ".join(SECTIONS) + "; or report, to write it again (default: all)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--cells", nargs="+", metavar="CELL", help="only these, e.g. minilm-128 base-corpus")
    parser.add_argument("--weights", nargs="+", choices=["f32", "bf16", "int8"], default=["f32", "bf16", "int8"])
    parser.add_argument("--peers", nargs="+", metavar="PEER", help="only these, e.g. openvino openvino-int8")
    parser.add_argument("--rounds", type=int, default=7, help="most rounds of a cell (default: %(default)s)")
    parser.add_argument("--cell-seconds", type=float, default=20,
                        help="no further round of a cell after this, once it has 3 (default: %(default)s)")
    parser.add_argument("--quick", action="store_true",
                        help="short turns, to see that everything runs; written to build/bench/quick unless --out is given")
    parser.add_argument("--resume", action="store_true", help="leave out cells that this build has been timed on")
    parser.add_argument("--fresh", action="store_true", help="forget earlier results, e.g. of another machine")
    parser.add_argument("--minilm", type=Path, default=os.environ.get("BERT_TEST_MODEL_DIR"),
                        help="folder of all-MiniLM-L6-v2 (default: $BERT_TEST_MODEL_DIR, else tools/get_model.sh)")
    parser.add_argument("--cache", type=Path, default=HOME / "bench", help="models and texts (default: %(default)s)")
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "bench", help="default: %(default)s")
    parser.add_argument("--out", type=Path, help="folder of the report (default: docs)")
    options = parser.parse_args()
    unknown = set(options.sections) - {*SECTIONS, "report"}
    if unknown:
        parser.error(f"unknown section {', '.join(sorted(unknown))}")
    options.sections = options.sections or SECTIONS
    options.turn = 200.0  # milliseconds of a turn on a single text
    if options.quick:
        options.rounds, options.turn, options.cell_seconds = min(options.rounds, 2), 50.0, 5.0
    options.out = options.out or (options.build / "quick" if options.quick else ROOT / "docs")
    options.bin = options.build / "bin"
    return options


def find_model(options):
    if options.minilm is None:
        run = subprocess.run([ROOT / "tools" / "get_model.sh"], check=True, stdout=subprocess.PIPE, text=True)
        options.minilm = Path(run.stdout.strip())


def build(options):
    if not (options.build / "CMakeCache.txt").exists():
        generator = ["-G", "Ninja"] if shutil.which("ninja") else []
        subprocess.run(["cmake", "-S", ROOT, "-B", options.build, *generator, "-DCMAKE_BUILD_TYPE=Release",
                        "-DBERT_BUILD_BENCH=ON", "-DBERT_BUILD_TESTS=OFF", "-DBERT_BUILD_EXAMPLES=OFF"],
                       check=True, stdout=sys.stderr)
    subprocess.run(["cmake", "--build", options.build, "--target", *PROGRAMS, "bert_cli"], check=True,
                   stdout=sys.stderr)
    return hashlib.sha256((options.bin / PROGRAMS[0]).read_bytes()).hexdigest()[:12]


def machine(flags):
    """What results depend on; those of different machines are not mixed."""
    model = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            caches[f"L{level}"] = size
    return {"processor": model, "instructions": [flag for flag in TELLING_FLAGS if flag in flags],
            "processors": len(os.sched_getaffinity(0)), "caches": caches}


def versions():
    found = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            found[package] = "absent"
    return found


class Store:
    """The results in performance.json, written after every measurement."""

    def __init__(self, options, machine, build):
        self.path = options.out / "performance.json"
        self.build = build
        self.data = {}
        if self.path.exists() and not options.fresh:
            self.data = json.loads(self.path.read_text())
            if self.data["machine"] != machine:
                raise SystemExit(f"{self.path} holds results of another machine ({self.data['machine']['processor']}); "
                                 "--fresh starts anew")
        self.data.setdefault("machine", machine)
        self.data.setdefault("skipped", {})
        self.data.setdefault("cells", {})

    def has(self, cell, threads, weights):
        """Whether this build has been timed on that cell with all these weights."""
        groups = [self.data["cells"].get(f"{cell} {threads} {w}") for w in weights]
        return all(group is not None and group["build"] == self.build for group in groups)

    def put(self, section, value):
        self.data[section] = {"taken": self.stamp(), "result": value}
        self.save()

    def put_cell(self, cell, threads, weights, times, accuracy):
        self.data["cells"][f"{cell} {threads} {weights}"] = {
            "cell": cell, "threads": threads, "weights": weights, "taken": self.stamp(), "build": self.build,
            "milliseconds": times, "accuracy": accuracy}
        self.save()

    @staticmethod
    def stamp():
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="minutes")
        return {"time": now, "load": round(os.getloadavg()[0], 2)}

    def save(self):
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(dump(self.data) + "\n")


def dump(value, depth=0):
    """JSON with a line for each leaf object, so that changes can be read."""
    if isinstance(value, (dict, list)) and value and any(isinstance(v, dict) for v in
                                                         (value.values() if isinstance(value, dict) else value)):
        space = " " * (depth + 1)
        if isinstance(value, dict):
            lines = [f"{space}{json.dumps(k)}: {dump(v, depth + 1)}" for k, v in value.items()]
            return "{\n" + ",\n".join(lines) + "\n" + " " * depth + "}"
        return "[\n" + ",\n".join(space + dump(v, depth + 1) for v in value) + "\n" + " " * depth + "]"
    return json.dumps(value, ensure_ascii=False)


def main():
    options = arguments()
    find_model(options)
    enter_environment()
    import measure
    import prepare
    import report

    unknown = set(options.cells or []) - set(measure.CELLS)
    every_peer = [peer for peers in measure.PEERS.values() for peer in peers]
    unknown |= set(options.peers or []) - set(every_peer)
    if unknown:
        raise SystemExit(f"unknown: {', '.join(sorted(unknown))}; cells: {', '.join(measure.CELLS)}; "
                         f"peers: {', '.join(every_peer)}")
    options.cells = options.cells or list(measure.CELLS)
    options.peers = options.peers or every_peer
    store = Store(options, machine(prepare.cpu_flags()), build(options))

    measured = [section for section in SECTIONS if section in options.sections]
    if measured:
        wanted = []
        if "cells" in measured:
            wanted = [(cell, threads) for threads in options.threads for cell in options.cells
                      if not (options.resume and store.has(cell, threads, options.weights))]
        models = dict.fromkeys(["minilm"] + [measure.CELLS[cell][0] for cell, _ in wanted])
        peers = [peer for weights in options.weights for peer in measure.peers_of(options, weights)]
        folders, not_prepared, corpora = prepare.prepare(options.minilm, options.cache, models, peers)
        store.data["corpora"] = corpora
        store.data["versions"] = versions()
        bench = measure.Bench(options, folders, not_prepared)
        begin = time.perf_counter()
        for section in measured:
            if section == "cells":
                def keep(cell, threads, times, accuracy):
                    for weights in options.weights:
                        chosen = {name: values for name, values in times.items() if measure.weights_of(name) == weights}
                        if chosen:
                            store.put_cell(cell, threads, weights, chosen, {n: accuracy[n] for n in chosen})
                measure.cells(bench, wanted, keep)
            else:
                function = {"tokenizers": measure.tokenizers, "load": measure.load, "program": measure.user_program,
                            "shares": measure.shares, "roofline": measure.roofline, "quality": measure.quality}[section]
                store.put(section, function(bench))
            say(f"{section} done after {(time.perf_counter() - begin) / 60:.1f} minutes")
        store.data["skipped"] = {key: reason for key, reason in store.data["skipped"].items()
                                 if key not in bench.started} | bench.skipped
        store.save()
    report.write(options.out, store.data)
    say(f"wrote {options.out / 'performance.md'}")


if __name__ == "__main__":
    main()

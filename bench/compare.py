#!/usr/bin/env python3
"""Times bert.hpp beside other runtimes: the same models, texts and threads, taking turns. See README.md.

Writes results.json (all rounds, machine, versions) and results.md (tables) to --out.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy

import prepare
from prepare import log

HERE = Path(__file__).resolve().parent

# name: (model, kind, tokens of the text or texts of the corpus)
CELLS = {
    "minilm-8": ("minilm", "text", 8),
    "minilm-32": ("minilm", "text", 32),
    "minilm-128": ("minilm", "text", 128),
    "minilm-512": ("minilm", "text", 512),
    "minilm-corpus": ("minilm", "corpus", 256),
    "base-128": ("base", "text", 128),
    "base-512": ("base", "text", 512),
    "base-corpus": ("base", "corpus", 96),
}
PEERS = {
    "f32": ["onnxruntime", "openvino", "ctranslate2", "torch"],
    "bf16": ["openvino-bf16"],
    "int8": ["onnxruntime-int8", "openvino-int8", "ctranslate2-int8"],
}
# Sets that decide which kernels a runtime can choose.
TELLING_FLAGS = ["fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512_vnni", "avx512_bf16", "avx512_fp16",
                 "amx_bf16", "amx_int8", "asimddp", "i8mm", "bf16", "sve"]
PACKAGES = ["torch", "transformers", "tokenizers", "sentence-transformers", "onnx", "onnxruntime", "openvino", "nncf",
            "ctranslate2", "numpy"]


class Failed(Exception):
    """An engine that cannot do what it was asked for, with its reason."""


class Engine:
    """A process that runs one engine on the given processors."""

    def __init__(self, name, command, processors):
        self.name = name
        self.begin = time.perf_counter()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True,
            bufsize=1, preexec_fn=lambda: os.sched_setaffinity(0, processors))
        try:
            self.opened = self.read()
        except Failed:
            self.close()
            raise

    def read(self):
        line = self.process.stdout.readline()
        status, _, rest = line.rstrip("\n").partition(" ")
        if status == "ok":
            return [float(word) for word in rest.split()]
        if status != "error":
            self.errors.seek(0)
            lines = self.errors.read().decode(errors="replace").splitlines()
            rest = "ended without an answer" + (": " + lines[-1] if lines else "")
        raise Failed(rest)

    def ask(self, *words):
        self.process.stdin.write(" ".join(map(str, words)) + "\n")
        return self.read()

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Bench:
    """What all modes share: options, models, and how engines are started."""

    def __init__(self, options, folders, not_prepared):
        self.options = options
        self.folders = folders
        self.not_prepared = not_prepared
        self.skipped = {}

    def start(self, name, model, threads):
        """The engine, or None where it cannot run here: then the reason is kept."""
        try:
            if name in self.not_prepared[model]:
                raise Failed(self.not_prepared[model][name])
            return Engine(name, self.command(name, model, threads), processors(threads))
        except Failed as failure:
            self.skip(name, model, failure)
            return None

    def skip(self, name, model, reason):
        if (name, model) not in self.skipped:
            log(f"skipped {name} on {model}: {reason}")
            self.skipped[name, model] = str(reason)

    def command(self, name, model, threads):
        if is_ours(name):
            return [self.options.runner, self.folders[model], threads, name.split()[1]]
        return [sys.executable, "-B", "-W", "ignore", HERE / "engines.py", name, self.folders[model], threads,
                self.options.cache / model]


def is_ours(name):
    return name.startswith("bert.hpp")


def ours(weights):
    return f"bert.hpp {weights}"


def processors(count):
    """The first `count` processors this process may use, on different cores as long as there are enough."""
    allowed = sorted(os.sched_getaffinity(0))
    first, others, seen = [], [], set()
    for processor in allowed:
        siblings = Path(f"/sys/devices/system/cpu/cpu{processor}/topology/thread_siblings_list")
        core = siblings.read_text() if siblings.exists() else processor
        (others if core in seen else first).append(processor)
        seen.add(core)
    if count > len(allowed):
        raise SystemExit(f"{count} threads were asked for, but only {len(allowed)} processors may be used")
    return set((first + others)[:count])


# Accuracy

def check(bench, engine, model, reference):
    """Greatest difference and least cosine to PyTorch's vectors: of four texts alone and of a corpus in batches."""
    differences, cosines = [], []
    for file, expected in reference.items():
        with tempfile.NamedTemporaryFile() as out:
            engine.ask("vectors", file, out.name)
            vectors = numpy.fromfile(out.name, dtype=numpy.float32).reshape(expected.shape)
        differences.append(float(numpy.abs(vectors - expected).max()))
        cosines.append(float((vectors * expected).sum(1).min()))
    return {"model": model, "engine": engine.name, "max_difference": max(differences), "min_cosine": min(cosines)}


def make_reference(bench, model):
    engine = bench.start("torch", model, max(bench.options.threads))
    if engine is None:
        raise SystemExit("PyTorch, which all are checked against, does not run: " + bench.skipped["torch", model])
    names = [f"text-{tokens}" for tokens in (8, 32, 128, 512)] + ["corpus-96"]
    reference = {}
    for name in names:
        file = bench.options.cache / f"{name}.ids"
        with tempfile.NamedTemporaryFile() as out:
            engine.ask("vectors", file, out.name)
            rows = len(prepare.read_ids(file))
            reference[file] = numpy.fromfile(out.name, dtype=numpy.float32).reshape(rows, -1)
    engine.close()
    return reference


# The main comparison

def time_cell(bench, engines, cell):
    """Rounds in which every engine has one turn. Returns per engine the milliseconds of each round."""
    model, kind, size = CELLS[cell]
    if kind == "corpus":
        file = bench.options.cache / f"corpus-{size}.ids"

        def turn(engine):
            return engine.ask("corpus", file)[0]
    else:
        ids = (bench.options.cache / f"text-{size}.ids").read_text().split()
        repeats = {}

        def turn(engine):
            if engine not in repeats:
                once = engine.ask("forward", 3, *ids)[-1]
                repeats[engine] = max(3, min(200, round(bench.options.turn / once)))
            # Others used the caches since the last turn: the first pass is not counted.
            return statistics.median(engine.ask("forward", repeats[engine] + 1, *ids)[1:])

    for engine in engines:
        turn(engine)
    times = {engine.name: [] for engine in engines}
    for turns in range(bench.options.rounds):
        shift = turns % len(engines)
        for engine in engines[shift:] + engines[:shift]:
            time.sleep(0.02)  # threads of the engine before may still spin
            times[engine.name].append(turn(engine))
    return times


def compare(bench):
    options = bench.options
    results, accuracy = [], []
    for model in dict.fromkeys(CELLS[cell][0] for cell in options.cells):
        reference = make_reference(bench, model)
        for threads in options.threads:
            names = [name for weights in options.weights for name in [ours(weights)] + peers_of(options, weights)]
            engines = [engine for name in names if (engine := bench.start(name, model, threads))]
            for engine in list(engines):
                try:
                    accuracy.append(check(bench, engine, model, reference) | {"threads": threads})
                    log(" ".join(f"{key}={value}" for key, value in accuracy[-1].items()))
                except Failed as failure:
                    bench.skip(engine.name, model, failure)
                    engine.close()
                    engines.remove(engine)
            for cell in options.cells:
                if CELLS[cell][0] != model or not engines:
                    continue
                for name, times in time_cell(bench, engines, cell).items():
                    results.append({"cell": cell, "threads": threads, "engine": name, "weights": weights_of(name),
                                    "milliseconds": times})
                    log(f"{cell} threads={threads} {name}: {summary(times)}")
            for engine in engines:
                engine.close()
    return {"results": results, "accuracy": accuracy}


def peers_of(options, weights):
    return [peer for peer in PEERS[weights] if peer in options.peers]


def weights_of(name):
    return name.split()[1] if is_ours(name) else next(w for w, peers in PEERS.items() if name in peers)


def summary(times):
    return f"{short(statistics.median(times))} ({short(min(times))} to {short(max(times))})"


def short(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def compare_tables(options, data):
    text = ""
    for threads in options.threads:
        for weights in options.weights:
            chosen = [r for r in data["results"] if r["threads"] == threads and r["weights"] == weights]
            names = list(dict.fromkeys(r["engine"] for r in chosen))
            rows = []
            for cell in options.cells:
                medians = {r["engine"]: r["milliseconds"] for r in chosen if r["cell"] == cell}
                peers = [statistics.median(times) for name, times in medians.items() if not is_ours(name)]
                mine = medians.get(ours(weights))
                ratio = f"{min(peers) / statistics.median(mine):.2f}" if peers and mine else "-"
                rows.append([cell] + [summary(medians[name]) if name in medians else "-" for name in names] + [ratio])
            if names:
                text += (f"\n{weights}, {threads} thread{'s' * (threads > 1)}: milliseconds, median of the rounds "
                         "(least to greatest); ratio: best peer's median / ours\n\n")
                text += table(["cell"] + names + ["ratio"], rows)
    text += "\nDifference to PyTorch f32 (vectors of unit length)\n\n"
    text += table(["model", "engine", "threads", "greatest difference", "least cosine"],
                  [[a["model"], a["engine"], a["threads"], f"{a['max_difference']:.1e}", f"{a['min_cosine']:.6f}"]
                   for a in data["accuracy"]])
    return text


# Tokenizers

def compare_tokenizers(bench):
    """Megabytes a second on one thread: ids alone, and with offsets and strings."""
    cache = bench.options.cache
    engines = [e for name in (ours("f32"), "tokenizers") if (e := bench.start(name, "minilm", 1))]
    results = []
    for name in ("prose", "mixed"):
        file = cache / f"{name}.txt"
        size = file.stat().st_size / 1e6
        ids = {}
        for engine in engines:
            with tempfile.NamedTemporaryFile() as out:
                engine.ask("ids", file, out.name)
                ids[engine.name] = Path(out.name).read_text()
        same = len(set(ids.values())) == 1
        speeds = {}
        for _ in range(bench.options.rounds):
            for mode in ("ids", "full"):
                for engine in engines:
                    *times, _ = engine.ask("tokenize", file, 4, mode)
                    speeds.setdefault((engine.name, mode), []).append(size / statistics.median(times[1:]) * 1e3)
        for (engine, mode), values in speeds.items():
            results.append({"text": name, "engine": engine, "mode": mode, "megabytes_per_second": values,
                            "same_ids": same})
            log(f"{name} {engine} {mode}: {summary(values)} MB/s, ids {'equal' if same else 'DIFFERENT'}")
    for engine in engines:
        engine.close()
    return {"tokenizers": results}


def tokenizers_table(data):
    return "\nTokenizers on one thread: MB/s, median of the rounds (least to greatest)\n\n" + table(
        ["text", "engine", "result", "MB/s", "ids"],
        [[r["text"], r["engine"], r["mode"], summary(r["megabytes_per_second"]),
          "equal" if r["same_ids"] else "DIFFERENT"] for r in data["tokenizers"]])


# Loading and memory

def compare_load(bench):
    """From process start to the first vector of a text, and memory then and after a corpus; files are in the page
    cache. Imports of Python are told apart, for a program in another language would not have them."""
    options = bench.options
    names = [name for weights in options.weights for name in [ours(weights)] + peers_of(options, weights)]
    rounds = {}
    for turns in range(options.rounds + 1):
        for name in names + ["sentence-transformers"]:
            engine = bench.start(name, "minilm", 1)
            if engine is None:
                continue
            engine.ask("embed", "A cat sat down.")
            total = (time.perf_counter() - engine.begin) * 1e3
            imports = engine.opened[1] if len(engine.opened) > 1 else 0.0
            first = engine.ask("memory")
            after = [0.0, 0.0]
            if name != "sentence-transformers":
                for _ in range(3):
                    engine.ask("corpus", options.cache / "corpus-256.ids")
                after = engine.ask("memory")
            engine.close()
            if turns > 0:  # the first one brings files into the page cache
                rounds.setdefault(name, []).append([total, imports, first[0] / 1024, after[0] / 1024, after[1] / 1024])
    keys = ["milliseconds", "of_it_imports", "resident_mib", "resident_mib_after_corpus", "peak_mib_after_corpus"]
    return {"load": [{"engine": name, "rounds": [dict(zip(keys, values)) for values in lists]} |
                     {key: statistics.median(column) for key, column in zip(keys, zip(*lists))}
                     for name, lists in rounds.items()]}


def load_table(data):
    keys = ["milliseconds", "of_it_imports", "resident_mib", "resident_mib_after_corpus", "peak_mib_after_corpus"]
    return ("\nMiniLM from process start to the first vector, one thread, files in the page cache (ms), and memory "
            "(MiB); medians\n\n" +
            table(["engine", "to first vector", "of it imports", "resident", "after a corpus", "peak"],
                  [[r["engine"]] + [short(r[key]) for key in keys] for r in data["load"]]))


# The machine

def machine():
    model = platform.processor()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    flags = prepare.cpu_flags()
    caches = {}
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / name).read_text().strip() for name in ("level", "type", "size"))
        if kind != "Instruction":
            caches[f"L{level}"] = size
    versions = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            versions[package] = "absent"
    return {"processor": model, "instructions": [flag for flag in TELLING_FLAGS if flag in flags],
            "processors": len(os.sched_getaffinity(0)), "caches": caches, "system": platform.platform(),
            "load_at_start": os.getloadavg()[0], "versions": versions,
            "time": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")}


def describe(data):
    m = data["machine"]
    text = (f"{m['processor']}, {m['processors']} processors ({' '.join(m['instructions'])}; "
            f"{', '.join(f'{k} {v}' for k, v in m['caches'].items())}); load before the run {m['load_at_start']:.2f}; "
            f"{m['time']}\n\n" + ", ".join(f"{k} {v}" for k, v in m["versions"].items()) + "\n\n")
    for corpus in data["corpora"].values():
        text += (f"Corpus of {corpus['texts']} texts: {corpus['tokens']} tokens, median {corpus['median_tokens']}, "
                 f"longest {corpus['longest']}; sorted batches of {prepare.BATCH} are "
                 f"{corpus['padding_factor_sorted_batches']} times as many with padding.\n")
    for skip in data["skipped"]:
        text += f"\nNot run: {skip['engine']} on {skip['model']}: {skip['reason']}\n"
    return text


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runner", type=Path, required=True, help="the program bert_bench_runner")
    parser.add_argument("--minilm", type=Path, default=os.environ.get("BERT_TEST_MODEL_DIR"),
                        help="folder of all-MiniLM-L6-v2 (default: $BERT_TEST_MODEL_DIR)")
    parser.add_argument("--cache", type=Path, default=Path.home() / ".cache" / "bert-bench",
                        help="where models and texts are kept (default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("bench-results"), help="default: %(default)s")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--cells", nargs="+", choices=CELLS, default=list(CELLS), metavar="CELL",
                        help="of " + ", ".join(CELLS))
    every = [peer for peers in PEERS.values() for peer in peers]
    parser.add_argument("--peers", nargs="+", choices=every, default=every, metavar="PEER",
                        help="of " + ", ".join(every))
    parser.add_argument("--weights", nargs="+", choices=PEERS, default=list(PEERS))
    parser.add_argument("--quick", action="store_true", help="3 short rounds, to see that everything runs")
    parser.add_argument("--tokenizers", action="store_true", help="compare tokenizers instead")
    parser.add_argument("--load", action="store_true", help="compare loading and memory instead")
    options = parser.parse_args()
    if options.minilm is None:
        parser.error("--minilm or BERT_TEST_MODEL_DIR is needed")
    options.turn = 400.0  # milliseconds of a turn on a single text
    if options.quick:
        options.rounds, options.turn = 3, 60.0
    return options


def main():
    options = arguments()
    before = machine()
    only_minilm = options.tokenizers or options.load
    models = ["minilm"] if only_minilm else list(dict.fromkeys(CELLS[cell][0] for cell in options.cells))
    wanted = [] if options.tokenizers else [p for w in options.weights for p in peers_of(options, w)]
    folders, not_prepared, corpora = prepare.prepare(options.minilm, options.cache, models, wanted)
    bench = Bench(options, folders, not_prepared)
    if options.tokenizers:
        data = compare_tokenizers(bench)
        text = tokenizers_table(data)
    elif options.load:
        data = compare_load(bench)
        text = load_table(data)
    else:
        data = compare(bench)
        text = compare_tables(options, data)
    data |= {"machine": before, "corpora": corpora, "rounds": options.rounds,
             "skipped": [{"engine": e, "model": m, "reason": r} for (e, m), r in bench.skipped.items()]}
    text = describe(data) + text
    options.out.mkdir(parents=True, exist_ok=True)
    name = "tokenizers" if options.tokenizers else "load" if options.load else "results"
    (options.out / f"{name}.json").write_text(json.dumps(data, indent=1) + "\n")
    (options.out / f"{name}.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()

"""Measurements of compare.py: each function runs engines or programs and returns what the report is made from."""

import contextlib
import json
import os
import re
import shlex
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
ROOT = HERE.parent

# name: (model, kind, tokens of the text or texts of the corpus)
CELLS = {
    "minilm-8": ("minilm", "text", 8),
    "minilm-32": ("minilm", "text", 32),
    "minilm-128": ("minilm", "text", 128),
    "minilm-512": ("minilm", "text", 512),
    "minilm-corpus": ("minilm", "corpus", 256),
    "bge-32": ("bge", "text", 32),
    "bge-128": ("bge", "text", 128),
    "base-128": ("base", "text", 128),
    "base-512": ("base", "text", 512),
    "base-corpus": ("base", "corpus", 96),
}
PEERS = {
    "f32": ["onnxruntime", "openvino", "ctranslate2", "torch"],
    "bf16": ["openvino-bf16"],
    "int8": ["onnxruntime-int8", "openvino-int8", "ctranslate2-int8"],
}
TOKENIZER_PEERS = ["tokenizers", "flash-tokenizer", "blingfire"]
# Never the fastest, so one turn on a corpus will do.
ONE_TURN_ON_CORPORA = {"torch"}


class Failed(Exception):
    """An engine that cannot do what it was asked for, with its reason."""


@contextlib.contextmanager
def bound_to(processors):
    """Processes that begin meanwhile run on these processors. (A function called between fork and exec would do that,
    too, but has all of Python's memory copied first, which takes milliseconds that are not the engine's.)"""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, processors)
    try:
        yield
    finally:
        os.sched_setaffinity(0, own)


class Engine:
    """A process that runs one engine on the given processors."""

    def __init__(self, name, command, processors):
        self.name = name
        self.errors = tempfile.TemporaryFile()
        with bound_to(processors):
            self.begin = time.perf_counter()
            self.process = subprocess.Popen(list(map(str, command)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                            stderr=self.errors, text=True, bufsize=1)
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
        try:
            self.process.stdin.write(" ".join(map(str, words)) + "\n")
        except BrokenPipeError:
            pass  # read() tells why
        return self.read()

    def vectors(self, file):
        """The vectors of the texts whose ids are in `file`."""
        with tempfile.NamedTemporaryFile() as out:
            self.ask("vectors", file, out.name)
            return numpy.fromfile(out.name, dtype=numpy.float32).reshape(len(prepare.read_ids(file)), -1)

    def close(self):
        try:
            self.process.stdin.close()
        except BrokenPipeError:
            pass
        self.process.wait()
        self.process.stdout.close()
        self.errors.close()


class Bench:
    """What all measurements share: options, models, and how engines are started."""

    def __init__(self, options, folders, not_prepared):
        self.options = options
        self.folders = folders
        self.not_prepared = not_prepared
        self.skipped = {}  # "engine on model": reason
        self.started = set()

    def start(self, name, model, threads):
        """The engine, or None where it cannot run here: then the reason is kept."""
        try:
            if name in self.not_prepared[model]:
                raise Failed(self.not_prepared[model][name])
            engine = Engine(name, self.command(name, model, threads), processors(threads))
        except Failed as failure:
            self.skip(name, model, failure)
            return None
        self.started.add(f"{name} on {model}")
        return engine

    def skip(self, name, model, reason):
        key = f"{name} on {model}"
        if key not in self.skipped:
            log(f"skipped {key}: {reason}")
            self.skipped[key] = str(reason)

    def command(self, name, model, threads):
        if is_ours(name):
            return [self.options.bin / "bert_bench_runner", self.folders[model], threads, name.split()[1]]
        return [sys.executable, "-B", "-W", "ignore", HERE / "engines.py", name, self.folders[model], threads,
                self.options.cache / model]


def is_ours(name):
    return name.startswith("bert.hpp")


def ours(weights):
    return f"bert.hpp {weights}"


def converted(weights):
    return f"{ours(weights)} (converted)"


def weights_of(name):
    return name.split()[1] if is_ours(name) else next(w for w, peers in PEERS.items() if name in peers)


def peers_of(options, weights):
    return [peer for peer in PEERS[weights] if peer in options.peers]


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


# Forward passes

def reference_vectors(bench, model):
    """PyTorch's vectors of three texts alone and of a batch: {file: vectors}."""
    engine = bench.start("torch", model, max(bench.options.threads))
    if engine is None:
        raise SystemExit("PyTorch, which all are checked against, does not run: " + bench.skipped[f"torch on {model}"])
    files = [bench.options.cache / f"{name}.ids" for name in ("text-8", "text-32", "text-128", "check-16")]
    reference = {file: engine.vectors(file) for file in files}
    engine.close()
    return reference


def check(engine, reference):
    """Greatest difference and least cosine to the reference."""
    differences, cosines = [], []
    for file, expected in reference.items():
        vectors = engine.vectors(file)
        differences.append(float(numpy.abs(vectors - expected).max()))
        cosines.append(float((vectors * expected).sum(1).min()))
    return {"max_difference": max(differences), "min_cosine": min(cosines)}


def time_cell(options, engines, cell):
    """Rounds in which every engine has one turn: {engine: milliseconds of each round}."""
    _, kind, size = CELLS[cell]
    if kind == "corpus":
        file = options.cache / f"corpus-{size}.ids"

        def turn(engine):
            return engine.ask("corpus", file)[0]
        # The check has warmed the engines, and a pass over a corpus is long.
    else:
        ids = (options.cache / f"text-{size}.ids").read_text().split()
        passes = {}
        for engine in engines:
            once = engine.ask("forward", 2, *ids)[-1]
            passes[engine] = max(1, min(200, round(options.turn / once)))

        def turn(engine):
            # Others used the caches since the last turn: the first of several passes is not counted.
            warm = 1 if passes[engine] > 1 else 0
            return statistics.median(engine.ask("forward", passes[engine] + warm, *ids)[warm:])

    times = {engine.name: [] for engine in engines}
    begin = time.perf_counter()
    for turns in range(options.rounds):
        shift = turns % len(engines)
        for engine in engines[shift:] + engines[:shift]:
            if turns > 0 and kind == "corpus" and engine.name in ONE_TURN_ON_CORPORA:
                continue
            time.sleep(0.02)  # threads of the engine before may still spin
            times[engine.name].append(turn(engine))
        spent = time.perf_counter() - begin
        least = 2 if spent / (turns + 1) > 60 else 3
        if turns + 1 >= least and spent * (turns + 2) / (turns + 1) > options.cell_seconds:
            break
    return {name: [float(f"{value:.5g}") for value in values] for name, values in times.items()}


def cells(bench, wanted, keep):
    """Times the (cell, threads) of `wanted`, in an order that opens each engine once for a model and a number of threads.
    Calls keep(cell, threads, {engine: milliseconds}, {engine: accuracy}) after each, so that nothing is lost."""
    options = bench.options
    for model in dict.fromkeys(CELLS[cell][0] for cell, _ in wanted):
        reference, accuracy = None, {}  # the number of threads changes no vector much
        for threads in dict.fromkeys(t for cell, t in wanted if CELLS[cell][0] == model):
            reference = reference or reference_vectors(bench, model)
            names = [name for weights in options.weights for name in [ours(weights)] + peers_of(options, weights)]
            engines = []
            for engine in filter(None, (bench.start(name, model, threads) for name in names)):
                try:
                    if engine.name in accuracy:
                        engine.vectors(options.cache / "text-32.ids")  # to warm up
                    else:
                        accuracy[engine.name] = check(engine, reference)
                        log(f"{model} {engine.name} {accuracy[engine.name]}")
                    engines.append(engine)
                except Failed as failure:
                    bench.skip(engine.name, model, failure)
                    engine.close()
            for cell in [c for c, t in wanted if CELLS[c][0] == model and t == threads]:
                if not engines:
                    continue
                begin = time.perf_counter()
                times = time_cell(options, engines, cell)
                log(f"{cell} threads={threads} ({time.perf_counter() - begin:.0f} s): " +
                    ", ".join(f"{name} {statistics.median(values):.4g}" for name, values in times.items()))
                keep(cell, threads, times, accuracy)
            for engine in engines:
                engine.close()


# Tokenizers

def tokenizers(bench):
    """Megabytes a second on one thread: ids alone, and full encodings; on all threads: batches of those."""
    options = bench.options
    results = []
    for threads in sorted({1, *options.threads}):
        names = [ours("f32")] + (TOKENIZER_PEERS if threads == 1 else TOKENIZER_PEERS[:1])
        engines = [e for name in names if (e := bench.start(name, "minilm", threads))]
        modes = {"ids": lambda e: True, "full": lambda e: e.name in names[:2]} if threads == 1 else {}
        modes["batch"] = lambda e: e.name in names[:2]
        for text in ("prose", "mixed"):
            file = options.cache / f"{text}.txt"
            size = file.stat().st_size / 1e6
            ids = {}
            for engine in engines:
                with tempfile.NamedTemporaryFile() as out:
                    engine.ask("ids", file, out.name)
                    ids[engine.name] = Path(out.name).read_text().splitlines()
            expected = ids.get("tokenizers") or ids[ours("f32")]
            equal = {name: sum(map(str.__eq__, lines, expected)) / len(expected) for name, lines in ids.items()}
            speeds = {}
            for _ in range(min(options.rounds, 5)):
                for mode, takes_part in modes.items():
                    for engine in filter(takes_part, engines):
                        # Slow ones need no repetition for a long turn.
                        passes = 3 if is_ours(engine.name) else 1
                        *times, _ = engine.ask("tokenize", file, passes, mode)
                        speeds.setdefault((engine.name, mode), []).append(size / statistics.median(times) * 1e3)
            for (name, mode), values in speeds.items():
                results.append({"text": text, "engine": name, "mode": mode, "threads": threads,
                                "megabytes_per_second": [float(f"{v:.4g}") for v in values],
                                "equal_ids": equal[name]})
                log(f"tokenizer {text} threads={threads} {name} {mode}: {statistics.median(values):.4g} MB/s, "
                    f"{100 * equal[name]:.2f} % of the texts have the same ids")
        for engine in engines:
            engine.close()
    return results


# Loading and memory

def read_all(path):
    """Brings a file, or those of a folder, into the page cache."""
    for file in [path] if path.is_file() else path.rglob("*"):
        if file.is_file():
            with open(file, "rb") as stream:
                while stream.read(1 << 22):
                    pass


def load(bench):
    """MiniLM from process start to the first vector of a text, and memory then, after a corpus, and after five more
    passes over it; ours also from files that `bert convert` made. Files are in the page cache. Imports of Python are
    told apart, for a program in another language would not have them. On as many threads as there may be: that is what
    every engine does by itself."""
    options = bench.options
    threads = max(options.threads)
    names = [name for weights in options.weights
             for name in [ours(weights), converted(weights)] + peers_of(options, weights)]
    models = {}
    for weights in options.weights:
        file = options.cache / f"minilm-{weights}.bert"
        run_pinned([options.bin / "bert", "convert", bench.folders["minilm"], file, "--weights", weights, "--force"])
        models[converted(weights)] = file.name
        bench.folders[file.name], bench.not_prepared[file.name] = file, {}
    corpus = options.cache / "corpus-96.ids"
    times, memory = {}, {}
    rounds = min(options.rounds, 3)
    for turns in range(rounds + 1):
        # Each engine starts four times, and the last start counts: so all of them come after processes of their own
        # size, whose memory the system (a virtual one may have to ask its host) has at hand.
        order = names + ["sentence-transformers"]
        shift = turns * (len(order) // rounds) % len(order)
        for name in order[shift:] + order[:shift]:
            time.sleep(0.5)
            model = models.get(name, "minilm")
            read_all(bench.folders[model])  # some systems drop pages soon that nobody reads
            read_all(options.cache / model)
            for _ in range(3):
                before = bench.start(name, model, threads)
                if before is None:
                    break
                before.ask("embed", "A cat sat down.")
                before.close()
            if before is None:
                continue
            engine = bench.start(name, model, threads)
            engine.ask("embed", "A cat sat down.")
            total = (time.perf_counter() - engine.begin) * 1e3
            imports = engine.opened[1] if len(engine.opened) > 1 else 0.0
            if turns > 0:  # the first one brings files into the page cache
                times.setdefault(name, []).append((total, imports))
            elif name != "sentence-transformers":
                first = engine.ask("memory")
                engine.ask("corpus", corpus)
                after = engine.ask("memory")
                for _ in range(5 if is_ours(name) else 1):
                    engine.ask("corpus", corpus)
                later = engine.ask("memory")
                memory[name] = [round(kib / 1024, 1) for kib in (first[0], after[0], later[0], later[1])]
            engine.close()
    weights = (bench.folders["minilm"] / "model.safetensors").stat().st_size / 2**20
    results = []
    for name, pairs in times.items():
        total, imports = (round(statistics.median(column), 1) for column in zip(*pairs))
        file = bench.folders[models[name]] if name in models else None
        results.append({"engine": name, "milliseconds": total, "of_it_imports": imports, "memory": memory.get(name),
                        "mib": round(file.stat().st_size / 2**20, 1) if file else None})
        log(f"load {results[-1]}")
    return {"weights_mib": round(weights, 1), "threads": threads, "engines": results}


# A user's file

def user_program(bench):
    """Compile time and size of the program that README.md shows first, from headers and with bert::compiled."""
    options = bench.options
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    source = next(block for block in re.findall(r"```cpp\n(.*?)```", readme, re.S) if "int main" in block)
    commands = json.loads((options.build / "compile_commands.json").read_text())
    runner = shlex.split(next(c["command"] for c in commands if c["file"].endswith("runner.cpp")))
    includes = [f"-I{ROOT / 'include'}"]
    for flag, value in zip(runner, runner[1:]):
        if flag == "-isystem":
            includes += [flag, value]
    system = ["-isystem", "/usr/include/eigen3"] if not any("eigen" in flag.lower() for flag in includes) else []
    variants = [("headers alone", []), ("bert::compiled", ["-DBERT_COMPILED"])]
    results = []
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "program.cpp").write_text(source, encoding="utf-8")
        for compiler in ("g++", "clang++"):
            for variant, defines in variants:
                library = [str(options.build / "libbert_compiled.a")] if defines else []
                command = [compiler, "-std=c++17", "-O2", *defines, *includes, *system, "program.cpp", "-o", "program",
                           *library, "-pthread"]
                try:
                    begin = time.perf_counter()
                    subprocess.run(command, cwd=folder, check=True, capture_output=True)
                    seconds = time.perf_counter() - begin
                    subprocess.run(["strip", "program"], cwd=folder, check=True)
                    version = subprocess.run([compiler, "--version"], capture_output=True, text=True).stdout
                except (OSError, subprocess.CalledProcessError) as error:
                    bench.skip(f"{compiler}, {variant},", "the README's program", error)
                    continue
                results.append({"compiler": version.splitlines()[0], "variant": variant, "seconds": round(seconds, 1),
                                "kib": Path(folder, "program").stat().st_size // 1024})
                log(f"program {results[-1]}")
    return results


# Parts and roofline

def run_pinned(command):
    with bound_to(processors(1)):
        return subprocess.run(list(map(str, command)), check=True, capture_output=True, text=True).stdout


def shares(bench):
    """How a pass of MiniLM over 128 tokens divides; see shares.cpp."""
    lines = run_pinned([bench.options.bin / "bert_bench_shares", bench.folders["minilm"]]).splitlines()
    for line in lines:
        log(line)
    rows = [re.fullmatch(r"(\S+) +(.*?) +(-?[\d.]+) +(-?[\d.]+)", line).groups() for line in lines]
    return [{"weights": weights, "part": part, "milliseconds": float(ms), "percent": float(percent)}
            for weights, part, ms, percent in rows]


def roofline(bench):
    """Dense products of the best table and Eigen's, beside the peaks of arithmetic and memory."""
    program = bench.options.bin / "bert_bench_kernels"
    # The first one listed is the best; what others can do is not the question here.
    table = run_pinned([program, "--benchmark_list_tests=true"]).split("/")[1]
    output = json.loads(run_pinned([
        program, f"--benchmark_filter=read_memory|linear/({table}|eigen)/.*/(1|8|32|128|512)$", "--benchmark_format=json",
        "--benchmark_min_time=0.05", "--benchmark_repetitions=2", "--benchmark_enable_random_interleaving=true"]))
    peaks = {key.split("/")[1]: float(value.split()[0]) * 1e9 for key, value in output["context"].items()
             if key.startswith(f"peak of {table}/")}
    best = {}
    for run in output["benchmarks"]:
        if run["run_type"] == "iteration":
            name = run["run_name"]
            best[name] = max(best.get(name, 0.0), run.get("ops", run.get("bytes_per_second", 0.0)))
    products = []
    for name, speed in best.items():
        if name == "read_memory":
            continue
        _, engine, weights, model, product, rows = name.split("/")
        products.append({"engine": engine, "weights": weights, "product": f"{model}/{product}", "rows": int(rows),
                         "operations_per_second": float(f"{speed:.4g}")})
    return {"table": table, "peaks": peaks, "bytes_per_second": best["read_memory"], "products": products}


# Quality

def quality(bench):
    """How near narrow weights come to f32 on real texts: cosines, and how many of the 10 nearest texts stay the same."""
    options = bench.options
    file = options.cache / "quality.ids"
    languages = [language for language, _ in json.loads((options.cache / "quality.json").read_text())]
    engine = bench.start(ours("f32"), "minilm", max(options.threads))
    if engine is None:
        raise SystemExit("bert.hpp does not run: " + bench.skipped[f"{ours('f32')} on minilm"])
    expected = engine.vectors(file)
    engine.close()
    results = []
    for name in [ours("bf16"), *peers_of(options, "bf16"), ours("int8"), *peers_of(options, "int8")]:
        engine = bench.start(name, "minilm", max(options.threads))
        if engine is None:
            continue
        vectors = engine.vectors(file)
        engine.close()
        cosines = (vectors * expected).sum(1)
        common = [len(a & b) / 10 for a, b in zip(nearest(vectors), nearest(expected))]
        english = numpy.array([language == "en" for language in languages])
        results.append({"engine": name, "mean": float(cosines.mean()), "worst": float(cosines.min()),
                        "worst_english": float(cosines[english].min()), "common": statistics.mean(common)})
        log(f"quality {results[-1]}")
    return {"texts": len(languages), "english": languages.count("en"), "languages": len(set(languages)),
            "engines": results}


def nearest(vectors):
    """The 10 nearest other texts of each."""
    scores = vectors @ vectors.T
    numpy.fill_diagonal(scores, -numpy.inf)
    return [set(row) for row in numpy.argpartition(-scores, 10, axis=1)[:, :10].tolist()]

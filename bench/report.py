"""The report of compare.py: tables between the markers of performance.md, whose prose is kept, and plots beside it."""

import re
import shutil
import statistics
from pathlib import Path

import plots
from measure import CELLS, PEERS, is_ours, ours
from prepare import RANDOM_MODELS

HERE = Path(__file__).resolve().parent

# The best peer's time divided by ours, for f32, bf16 and int8.
TARGETS = {
    "minilm-8": (1.5, 1.5, 1.3),
    "minilm-32": (1.5, 1.5, 1.3),
    "minilm-128": (1.15, 1.25, 1.4),
    "minilm-512": (1.15, 1.25, 1.4),
    "minilm-corpus": (1.3, 1.4, 1.4),
    "base-128": (1.1, 1.15, 1.15),
    "base-512": (1.1, 1.15, 1.15),
    "base-corpus": (1.6, 1.6, 1.5),
}
# The shapes of all models, as their config.json names them.
SHAPES = {"minilm": {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536}, **RANDOM_MODELS}
# Our speed divided by the peer's.
TOKENIZER_TARGETS = {
    ("prose", "ids", "tokenizers"): 20,
    ("prose", "full", "tokenizers"): 20,
    ("prose", "ids", "flash-tokenizer"): 2.5,
    ("mixed", "ids", "tokenizers"): 10,
    ("mixed", "full", "tokenizers"): 10,
}
TO_FIRST_VECTOR = 40  # milliseconds, f32
TO_FIRST_VECTOR_CONVERTED = 15  # milliseconds, all types of weights
MEMORY_TO_WEIGHTS = 1.6  # f32
NO_PRODUCT = 12  # percent of a pass in f32
OF_PEAK = {"f32": 93, "bf16": 85, "int8": 85}  # percent, dense products of 128 rows
# Mean and worst cosine to f32, and share of the 10 nearest in common.
QUALITY = {"bf16": (0.9999, 0.999, None), "int8": (0.998, 0.99, 0.95)}


def short(value):
    return f"{value:.0f}" if value >= 1000 else f"{value:.3g}"


def spread(values):
    return f"{short(statistics.median(values))} ({short(min(values))} to {short(max(values))})"


def table(head, rows):
    lines = [head, ["---"] * len(head)] + rows
    return "".join("| " + " | ".join(map(str, line)) + " |\n" for line in lines)


def verdict(reached):
    return "met" if reached else "**short**"


def plural(threads):
    return f"{threads} thread{'s' * (threads > 1)}"


def machine(data):
    m = data["machine"]
    text = (f"{m['processor']}, {m['processors']} processors ({' '.join(m['instructions'])}; " +
            ", ".join(f"{level} {size}" for level, size in m["caches"].items()) + "). " +
            ", ".join(f"{name} {version}" for name, version in data.get("versions", {}).items()) + ".\n")
    for corpus in data.get("corpora", {}).values():
        text += (f"\nCorpus of {corpus['texts']} texts: {corpus['tokens']} tokens, median {corpus['median_tokens']}, "
                 f"longest {corpus['longest']}; sorted batches of 32 are {corpus['padding_factor_sorted_batches']} times as "
                 "many with padding.\n")
    return text


def ratio_of(group):
    """The best peer's median divided by ours, or None."""
    mine = group["milliseconds"].get(ours(group["weights"]))
    peers = [statistics.median(times) for name, times in group["milliseconds"].items() if not is_ours(name)]
    return min(peers) / statistics.median(mine) if mine and peers else None


def at_peak(group, roofline):
    """The ratio if our products ran at the measured peak and nothing else took time, or None where a cell is no single
    text. The products of attention are computed in float or bfloat16."""
    model, _, length = group["cell"].partition("-")
    peak = roofline["peaks"].get(group["weights"])
    peers = [statistics.median(times) for name, times in group["milliseconds"].items() if not is_ours(name)]
    if not length.isdigit() or not peak or not peers:
        return None
    layers, hidden = SHAPES[model]["num_hidden_layers"], SHAPES[model]["hidden_size"]
    tokens = int(length)
    weights = layers * (4 * hidden * hidden + 2 * hidden * SHAPES[model]["intermediate_size"])
    narrow = roofline["peaks"].get("bf16", roofline["peaks"]["f32"])
    seconds = 2 * tokens * weights / peak + 4 * layers * tokens * tokens * hidden / min(peak, narrow)
    return min(peers) / 1e3 * group["threads"] / seconds


def cells(data):
    text = ""
    roofline = data.get("roofline", {}).get("result")
    groups = list(data["cells"].values())
    counts = {}
    for threads in sorted({group["threads"] for group in groups}):
        for place, weights in enumerate(PEERS):
            chosen = {g["cell"]: g for g in groups if g["threads"] == threads and g["weights"] == weights}
            names = [name for name in [ours(weights), *PEERS[weights]]
                     if any(name in group["milliseconds"] for group in chosen.values())]
            rows = []
            for cell in filter(chosen.get, CELLS):
                group = chosen[cell]
                times = group["milliseconds"]
                ratio = ratio_of(group)
                target = TARGETS[cell][place] if cell in TARGETS else None
                limit = at_peak(group, roofline) if roofline else None
                judged = ("no target" if target is None else "no peer" if ratio is None else "met" if ratio >= target
                          else "out of reach" if limit and limit < target else verdict(False))
                counts[judged] = counts.get(judged, 0) + 1
                rows.append([cell] + [spread(times[name]) if name in times else "-" for name in names] +
                            [f"{ratio:.2f}" if ratio else "-", f"{limit:.2f}" if limit else "-", target or "-", judged])
            if rows:
                text += f"\n{weights}, {plural(threads)}\n\n" + table(["cell"] + names + ["ratio", "at the peak", "target", "verdict"], rows)
    if not groups:
        return "Not measured yet.\n"
    taken = sorted(group["taken"]["time"] for group in groups)
    busiest = max(group["taken"]["load"] for group in groups)
    builds = len({group["build"] for group in groups})
    return (f"Milliseconds, median of the rounds (least to greatest), taken from {taken[0]} to {taken[-1]}"
            f"{f' with {builds} builds' if builds > 1 else ''}; greatest load average {busiest:.1f}. Of the cells, " +
            ", ".join(f"{count} {judged}" for judged, count in sorted(counts.items())) + ".\n" + text)


def accuracy(data):
    worst = {}
    for group in data["cells"].values():
        for name, values in group["accuracy"].items():
            key = (CELLS[group["cell"]][0], name)
            old = worst.get(key, (0.0, 1.0))
            worst[key] = (max(old[0], values["max_difference"]), min(old[1], values["min_cosine"]))
    return table(["model", "engine", "greatest difference", "least cosine"],
                 [[model, name, f"{difference:.1e}", f"{cosine:.6f}"] for (model, name), (difference, cosine) in
                  sorted(worst.items())])


def tokenizers(data):
    results = data["tokenizers"]["result"]
    mine = {(r["text"], r["mode"], r["threads"]): r for r in results if is_ours(r["engine"])}
    rows = []
    for r in results:
        own = mine.get((r["text"], r["mode"], r["threads"]))
        ratio, target, judged = "-", "-", "-"
        if own and own is not r:
            value = statistics.median(own["megabytes_per_second"]) / statistics.median(r["megabytes_per_second"])
            ratio = f"{value:.1f}"
            goal = TOKENIZER_TARGETS.get((r["text"], r["mode"], r["engine"])) if r["threads"] == 1 else None
            if goal:
                target, judged = goal, verdict(value >= goal)
        rows.append([r["text"], r["mode"], r["threads"], r["engine"], spread(r["megabytes_per_second"]), ratio, target,
                     judged, f"{100 * r['equal_ids']:.2f} %"])
    text = table(["text", "result", "threads", "engine", "MB/s", "ours / its", "target", "verdict", "texts with equal ids"],
                 rows)
    for kind in dict.fromkeys(r["text"] for r in results):
        speeds = {threads: statistics.median(r["megabytes_per_second"])
                  for (t, mode, threads), r in mine.items() if t == kind and mode == "batch"}
        if len(speeds) > 1:
            text += f"\nBatches of {kind} on more threads than one: " + ", ".join(
                f"{speeds[threads] / speeds[1]:.2f} times as fast on {threads}" for threads in speeds if threads > 1) + ".\n"
    return text


def load(data):
    result = data["load"]["result"]
    weights = result["weights_mib"]
    rows = []
    for r in result["engines"]:
        memory = r["memory"] or ["-"] * 4
        judged = "-"
        if r["engine"] == ours("f32"):
            judged = (f"{verdict(r['milliseconds'] <= TO_FIRST_VECTOR)} (<= {TO_FIRST_VECTOR} ms), "
                      f"{verdict(memory[2] <= MEMORY_TO_WEIGHTS * weights)} (<= {MEMORY_TO_WEIGHTS} x weights)")
        elif r["mib"]:
            limit = TO_FIRST_VECTOR_CONVERTED
            judged = f"{verdict(r['milliseconds'] <= limit)} (<= {limit} ms; file of {r['mib']} MiB)"
        rows.append([r["engine"], short(r["milliseconds"]), short(r["of_it_imports"]), *memory, judged])
    return (f"MiniLM, {result['threads']} threads, files in the page cache. Milliseconds, and memory in MiB; its weights "
            f"are {weights} MiB as a file.\n\n" +
            table(["engine", "to first vector", "of it imports", "resident", "after a corpus", "after more passes", "peak",
                   "verdict"], rows))


def program(data):
    return table(["compiler", "library", "seconds to compile", "KiB, stripped"],
                 [[r["compiler"], r["variant"], r["seconds"], r["kib"]] for r in data["program"]["result"]])


def shares(data):
    rows = data["shares"]["result"]
    parts = dict.fromkeys(r["part"] for r in rows)
    weights = list(dict.fromkeys(r["weights"] for r in rows))
    found = {(r["part"], r["weights"]): r for r in rows}

    def cell(part, w):
        r = found[part, w]
        return f"{r['milliseconds']:.2f} ({r['percent']:.1f} %)"

    reached = found["no product at all", "f32"]["percent"]
    return (table(["part"] + weights, [[part] + [cell(part, w) for w in weights] for part in parts]) +
            f"\nWithout any product, f32: {reached:.1f} %, target below {NO_PRODUCT} %: {verdict(reached < NO_PRODUCT)}.\n")


def roofline(data):
    result = data["roofline"]["result"]
    peaks = result["peaks"]
    found = {(p["engine"], p["weights"], p["product"], p["rows"]): p["operations_per_second"] for p in result["products"]}
    rows = []
    for product in sorted({p["product"] for p in result["products"]}):
        row = [product]
        for engine, weights in [(result["table"], w) for w in PEERS] + [("eigen", "f32")]:
            speed = found.get((engine, weights, product, 128))
            peak = peaks.get(weights)
            row.append("-" if not speed else f"{speed / 1e9:.1f}" + (f" ({100 * speed / peak:.0f} %)" if peak else ""))
        rows.append(row)
    text = (f"Kernels {result['table']}, one core; peaks " +
            ", ".join(f"{weights} {peak / 1e9:.0f} G/s" for weights, peak in peaks.items()) +
            f"; memory read at {result['bytes_per_second'] / 1e9:.1f} GB/s. Products of 128 rows in 10^9 operations a second "
            "(share of the peak; without one where the processor has no instruction for them):\n\n" +
            table(["product", "f32", "bf16", "int8", "Eigen f32, -march=native"], rows) + "\n")
    for weights, goal in OF_PEAK.items():
        reached = [100 * p["operations_per_second"] / peaks[weights] for p in result["products"]
                   if p["engine"] == result["table"] and p["weights"] == weights and p["rows"] == 128 and weights in peaks]
        if reached:
            text += (f"- {weights}: {min(reached):.1f} to {max(reached):.1f} % of the peak, median "
                     f"{statistics.median(reached):.1f} %, target {goal} %: "
                     f"{verdict(statistics.median(reached) >= goal)}.\n")
    return text


def quality(data):
    result = data["quality"]["result"]
    rows = []
    for r in result["engines"]:
        judged = "-"
        if is_ours(r["engine"]):
            mean, worst, common = QUALITY[r["engine"].split()[1]]
            judged = verdict(r["mean"] >= mean and r["worst"] >= worst and (not common or r["common"] >= common))
            judged += f" (>= {mean}, {worst}" + (f", {common})" if common else ")")
        rows.append([r["engine"], f"{r['mean']:.6f}", f"{r['worst']:.5f}", f"{r['worst_english']:.5f}", f"{r['common']:.4f}",
                     judged])
    return (f"{result['texts']} texts, {result['english']} of them English, in {result['languages']} languages.\n\n" +
            table(["engine", "mean cosine", "worst", "worst, English", "of 10 nearest in common", "verdict"], rows))


def skipped(data):
    return "".join(f"- {key}: {reason}\n" for key, reason in sorted(data["skipped"].items())) or "Nothing.\n"


SECTIONS = [machine, cells, accuracy, tokenizers, load, program, shares, roofline, quality, skipped]
ALWAYS = {"machine", "cells", "accuracy", "skipped"}


def write(folder, data):
    path = folder / "performance.md"
    if not path.exists():
        shutil.copy(HERE.parent / "docs" / "performance.md", path)
    text = path.read_text(encoding="utf-8")
    for section in SECTIONS:
        name = section.__name__
        if name not in data and name not in ALWAYS:
            continue
        begin, end = f"<!-- begin {name}: written by bench/compare.py -->", f"<!-- end {name} -->"
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.DOTALL)
        if not pattern.search(text):
            raise SystemExit(f"{path} lacks the markers {begin} and {end}")
        text = pattern.sub(lambda _: f"{begin}\n\n{section(data)}\n{end}", text, count=1)
    path.write_text(text, encoding="utf-8")
    plots.draw(folder, data)

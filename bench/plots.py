"""The plots of performance.md as SVG. Colours are of middle brightness on no ground, so that light and dark pages do."""

import statistics

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402

from measure import CELLS, PEERS, is_ours  # noqa: E402

TEXT = "#7d8590"
COLOURS = {"bert.hpp": "#d1462f", "onnxruntime": "#3987c9", "openvino": "#8e63ce", "ctranslate2": "#2f9e6e",
           "torch": "#c08a1e", "eigen": TEXT}
STYLES = {"f32": "-", "bf16": "--", "int8": ":"}
PRODUCT_COLOURS = {"f32": "#3987c9", "bf16": "#2f9e6e", "int8": "#8e63ce"}

plt.rcParams.update({
    "svg.hashsalt": "bert.hpp", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 10,
    "text.color": TEXT, "axes.labelcolor": TEXT, "axes.edgecolor": TEXT, "xtick.color": TEXT, "ytick.color": TEXT,
    "axes.spines.top": False, "axes.spines.right": False, "grid.color": TEXT, "grid.alpha": 0.25, "axes.grid": True,
    "legend.frameon": False, "legend.labelcolor": TEXT, "figure.figsize": (8, 4.6), "lines.linewidth": 1.5,
})


def colour(engine):
    return next(value for name, value in COLOURS.items() if engine.startswith(name))


def save(figure, path):
    figure.savefig(path, transparent=True, bbox_inches="tight", metadata={"Date": None})
    plt.close(figure)


def draw(folder, data):
    groups = list(data["cells"].values())
    if groups:
        latency(folder / "performance-latency.svg", groups)
        throughput(folder / "performance-threads.svg", groups, data["corpora"])
    if "roofline" in data:
        roofline(folder / "performance-roofline.svg", data["roofline"]["result"])


def latency(path, groups):
    """One text of MiniLM on the fewest threads: a panel for each type of weights."""
    threads = min(group["threads"] for group in groups)
    figure, panels = plt.subplots(1, len(PEERS), sharey=True, figsize=(9, 4.2))
    for panel, weights in zip(panels, PEERS):
        lines = {}
        for group in groups:
            model, kind, tokens = CELLS[group["cell"]]
            if (model, kind, group["weights"], group["threads"]) == ("minilm", "text", weights, threads):
                for engine, times in group["milliseconds"].items():
                    lines.setdefault(engine, []).append((tokens, statistics.median(times)))
        for engine, points in lines.items():
            panel.plot(*zip(*sorted(points)), marker="o", markersize=4, label=engine, color=colour(engine),
                       linewidth=2.5 if is_ours(engine) else 1.2)
        panel.set(xscale="log", yscale="log", title=weights, xlabel="tokens of the text")
        panel.title.set_color(TEXT)
        panel.set_xticks([8, 32, 128, 512], ["8", "32", "128", "512"])
        panel.minorticks_off()
        if lines:
            panel.legend(fontsize=8)
    panels[0].set_ylabel(f"milliseconds, {threads} thread{'s' * (threads > 1)}")
    save(figure, path)


def throughput(path, groups, corpora):
    """Tokens of the uneven corpus a second (those of the texts, without padding)."""
    lines = {}
    for group in groups:
        model, kind, size = CELLS[group["cell"]]
        if (model, kind) == ("minilm", "corpus"):
            for engine, times in group["milliseconds"].items():
                speed = corpora[str(size)]["tokens"] / statistics.median(times)
                lines.setdefault((engine, group["weights"]), []).append((group["threads"], speed))
    if not lines:
        return
    figure, axes = plt.subplots()
    for (engine, weights), points in lines.items():
        axes.plot(*zip(*sorted(points)), marker="o", markersize=4, label=engine, color=colour(engine),
                  linestyle=STYLES[weights], linewidth=2.5 if is_ours(engine) else 1.2)
    counts = sorted({threads for points in lines.values() for threads, _ in points})
    axes.set(xlabel="threads", ylabel="tokens a millisecond, MiniLM, uneven corpus", ylim=(0, None))
    axes.set_xticks(counts)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


def roofline(path, result):
    """Dense products against what arithmetic and memory allow. Intensity: operations a byte of weights, which are read
    once for all rows; those that a cache still holds may lie above the slope."""
    figure, axes = plt.subplots()
    bytes_per_weight = {"f32": 4, "bf16": 2, "int8": 1}
    for weights, size in bytes_per_weight.items():
        runs = [(engine, p) for p in result["products"] if p["weights"] == weights
                for engine in [p["engine"]] if engine in (result["table"], "eigen")]
        for engine in dict.fromkeys(engine for engine, _ in runs):
            points = [(2 * p["rows"] / size, p["operations_per_second"] / 1e9) for e, p in runs if e == engine]
            axes.scatter(*zip(*points), s=14, marker="x" if engine == "eigen" else "o",
                         color=COLOURS["eigen"] if engine == "eigen" else PRODUCT_COLOURS[weights],
                         label=f"{'Eigen' if engine == 'eigen' else 'bert.hpp'} {weights}")
    slope = result["bytes_per_second"] / 1e9
    peaks = {}
    for weights, peak in result["peaks"].items():
        peaks.setdefault(round(peak / 1e9), []).append(weights)
    for peak, names in peaks.items():
        axes.plot([0.5, peak / slope, 1024], [0.5 * slope, peak, peak], color=TEXT, linewidth=1)
        axes.annotate(f"peak {', '.join(names)}: {peak}", (1024, peak), fontsize=8, ha="right", va="bottom")
    axes.set(xscale="log", yscale="log", xlabel="operations a byte of weights", ylabel="10^9 operations a second, 1 core")
    axes.legend(fontsize=8, loc="lower right")
    save(figure, path)

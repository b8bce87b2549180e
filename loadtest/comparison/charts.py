"""The comparison as pictures: SVG by matplotlib, with the same bytes for the same figures."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

SAFE, WRONG, INK, PAPER, GRID = "#1f6f8b", "#c0392b", "#222222", "#ffffff", "#d8d8d8"
HATCH = "///"  # so that the bars differ without colour as well


def new(title, machine, rows):
    pyplot.rcParams.update({"svg.hashsalt": "race-conditions-lab", "font.family": "sans-serif", "font.size": 10,
                            "hatch.linewidth": 0.6, "svg.fonttype": "none"})
    figure, axes = pyplot.subplots(figsize=(9, 1.3 + 0.42 * rows), facecolor=PAPER)
    axes.set_facecolor(PAPER)
    axes.set_title(title, loc="left", fontsize=12, color=INK, pad=12)
    axes.grid(axis="x", color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.text(0.01, 0.01, machine, fontsize=6.5, color="#555555")
    return figure, axes


def save(figure, path):
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def colour_of(result):
    return SAFE if result["safe"] else WRONG


def names(axes, results):
    axes.set_yticks(range(len(results)), [result["name"] + ("" if result["safe"] else "  (wrong)")
                                          for result in results])
    axes.invert_yaxis()


def pairs(path, title, machine, results, key, unit, label):
    """Two bars for every strategy, spread and hot, on a logarithmic axis."""
    figure, axes = new(title, machine, len(results) * 1.6)
    values = [result["load"][shape][key] for result in results for shape in ("spread", "hot")]
    axes.set_xscale("log")
    axes.set_xlim(min(values) * 0.6, max(values) * 2.2)
    for place, result in enumerate(results):
        for shift, shape in ((-0.2, "spread"), (0.2, "hot")):
            value = result["load"][shape][key]
            axes.barh(place + shift, value, 0.36, color=colour_of(result) if shape == "hot" else PAPER,
                      edgecolor=colour_of(result), hatch=None if shape == "hot" else HATCH, linewidth=1)
            axes.text(value * 1.05, place + shift, label(value), va="center", fontsize=8, color=INK)
    names(axes, results)
    axes.set_xlabel(f"{unit} (logarithmic); hatched: spread over 1,000 accounts, filled: one hot account")
    axes.get_xaxis().set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
    save(figure, path)


def correctness(path, title, machine, results):
    """The share of wrong rounds among the forced rounds of each strategy."""
    figure, axes = new(title, machine, len(results) * 1.2)
    for place, result in enumerate(results):
        total = sum(result["rounds"].values())
        wrong = total - result["rounds"].get("clean", 0)
        axes.barh(place, 100, 0.6, color="#eeeeee")
        axes.barh(place, 100 * wrong / total, 0.6, color=WRONG, hatch=HATCH, edgecolor=PAPER, linewidth=0)
        worst = max((name for name in result["rounds"] if name != "clean"), key=result["rounds"].get, default="")
        text = f"{wrong:,} of {total:,}" + (f"  {worst.replace('_', ' ')}" if wrong else "")
        axes.text(101, place, text, va="center", fontsize=8, color=INK)
    names(axes, results)
    axes.set_xlim(0, 130)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_xlabel("% of forced rounds that went wrong")
    save(figure, path)


def draw(folder, results, machine):
    """Draws all charts into a folder and returns their paths."""
    raced = [result for result in results if result.get("rounds")]
    loaded = [result for result in results if result.get("load")]
    drawn = []
    if raced:
        correctness(folder / "correctness.svg", "Two transfers of \\$800 out of \\$1000, released together", machine, raced)
        drawn.append("correctness.svg")
    if loaded:
        pairs(folder / "throughput.svg", "Transfers a second, 32 connections", machine, loaded, "rate",
              "transfers a second", lambda value: f"{value:,.0f}")
        pairs(folder / "latency.svg", "The slowest in a hundred, 32 connections", machine, loaded, "p99_ms",
              "p99 in milliseconds", lambda value: f"{value:,.1f}")
        drawn += ["throughput.svg", "latency.svg"]
    return [folder / name for name in drawn]

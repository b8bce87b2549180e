"""The comparison as pictures: SVG by matplotlib, with the same bytes for the same figures."""

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot  # noqa: E402

THEMES = {  # by the ending of the file's name
    "": {"safe": "#1f6f8b", "wrong": "#c0392b", "ink": "#222222", "paper": "#ffffff", "grid": "#d8d8d8", "faint": "#eeeeee"},
    "-dark": {"safe": "#6cc3df", "wrong": "#ff8a7a", "ink": "#e6edf3", "paper": "#0d1117", "grid": "#30363d",
              "faint": "#21262d"},
}
HATCH = "///"  # so that the bars differ without colour as well


def new(title, machine, rows, theme):
    pyplot.rcParams.update({"svg.hashsalt": "race-conditions-lab", "font.family": "sans-serif", "font.size": 10,
                            "hatch.linewidth": 0.6, "svg.fonttype": "none"})
    figure, axes = pyplot.subplots(figsize=(9, 1.3 + 0.42 * rows), facecolor=theme["paper"])
    axes.set_facecolor(theme["paper"])
    axes.set_title(title, loc="left", fontsize=12, color=theme["ink"], pad=12)
    axes.grid(axis="x", color=theme["grid"], linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.spines["bottom"].set_color(theme["grid"])
    axes.tick_params(axis="both", colors=theme["ink"])
    axes.tick_params(axis="y", length=0)
    axes.xaxis.label.set_color(theme["ink"])
    figure.text(0.01, 0.01, machine, fontsize=6.5, color=theme["ink"])
    return figure, axes


def save(figure, path):
    figure.tight_layout(rect=(0, 0.04, 1, 1))
    figure.savefig(path, metadata={"Date": None, "Creator": None})
    pyplot.close(figure)


def colour_of(result, theme):
    return theme["safe" if result["safe"] else "wrong"]


def names(axes, results):
    axes.set_yticks(range(len(results)), [result["name"] + ("" if result["safe"] else "  (wrong)")
                                          for result in results])
    axes.invert_yaxis()


def pairs(path, title, machine, results, key, unit, label, theme):
    """Two dots for every strategy, spread and hot, on a logarithmic axis, where the length of a bar means nothing."""
    figure, axes = new(title, machine, len(results) * 1.2, theme)
    values = [result["load"][shape][key] for result in results for shape in ("spread", "hot")]
    axes.set_xscale("log")
    axes.set_xlim(min(values) * 0.6, max(values) * 1.8)
    for place, result in enumerate(results):
        spread, hot = (result["load"][shape][key] for shape in ("spread", "hot"))
        colour = colour_of(result, theme)
        axes.plot([spread, hot], [place, place], color=colour, linewidth=1, zorder=2)
        for value, fill in ((spread, theme["paper"]), (hot, colour)):
            axes.scatter([value], [place], s=46, facecolors=fill, edgecolors=colour, linewidths=1.4, zorder=3)
        low, high = sorted((spread, hot))
        for value, shift, side in ((low, -7, "right"), (high, 7, "left")):
            axes.annotate(label(value), (value, place), (shift, 0), textcoords="offset points", ha=side, va="center",
                          fontsize=8, color=theme["ink"])
    names(axes, results)
    axes.scatter([], [], s=46, facecolors=theme["paper"], edgecolors=theme["ink"], label="spread over 1,000 accounts")
    axes.scatter([], [], s=46, facecolors=theme["ink"], edgecolors=theme["ink"], label="one hot account")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, fontsize=8, labelcolor=theme["ink"])
    axes.set_xlabel(f"{unit}; logarithmic scale: each labelled step is ten times the one before")
    axes.get_xaxis().set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
    save(figure, path)


def correctness(path, title, machine, results, theme):
    """The share of wrong rounds among the forced rounds of each strategy."""
    figure, axes = new(title, machine, len(results) * 1.2, theme)
    for place, result in enumerate(results):
        total = sum(result["rounds"].values())
        wrong = total - result["rounds"].get("clean", 0)
        axes.barh(place, 100, 0.6, color=theme["faint"])
        axes.barh(place, 100 * wrong / total, 0.6, color=theme["wrong"], hatch=HATCH, edgecolor=theme["paper"], linewidth=0)
        worst = max((name for name in result["rounds"] if name != "clean"), key=result["rounds"].get, default="")
        text = f"{wrong:,} of {total:,}" + (f"  {worst.replace('_', ' ')}" if wrong else "")
        axes.text(101, place, text, va="center", fontsize=8, color=theme["ink"])
    names(axes, results)
    axes.set_xlim(0, 130)
    axes.set_xticks([0, 25, 50, 75, 100])
    axes.set_xlabel("% of forced rounds that went wrong")
    save(figure, path)


def draw(folder, results, machine):
    """Draws all charts into a folder and returns their paths."""
    raced = [result for result in results if result.get("rounds")]
    loaded = [result for result in results if result.get("load")]
    loaded.sort(key=lambda result: -result["load"]["hot"]["rate"])
    drawn = []
    for ending, theme in THEMES.items():
        if raced:
            drawn.append(folder / f"correctness{ending}.svg")
            correctness(drawn[-1], "Two transfers of \\$800 out of \\$1000, released together", machine, raced, theme)
        if loaded:
            drawn.append(folder / f"throughput{ending}.svg")
            pairs(drawn[-1], "Transfers per second, 32 connections", machine, loaded, "rate", "transfers per second",
                  lambda value: f"{value:,.0f}", theme)
            drawn.append(folder / f"latency{ending}.svg")
            pairs(drawn[-1], "99th percentile of the latency, 32 connections", machine, loaded, "p99_ms",
                  "p99 in milliseconds", lambda value: f"{value:,.1f}", theme)
    return drawn

"""The figures of scale.py as pictures: rates and latencies by the number of clients, and rates by that of servers."""

from matplotlib import ticker

from comparison import charts
from comparison.charts import pyplot
from comparison.scaling import curves

LIGHT = ("#1f6f8b", "#b3541e", "#4a7c2f", "#7d3c98", "#a0522d", "#2c3e50", "#946c00", "#00796b")
DARK = ("#6cc3df", "#ffb07a", "#a3d977", "#d2a8ff", "#e6b8a2", "#c9d1d9", "#e3c565", "#6fd6c6")
MARKERS = "osD^vPX*"  # so that the lines differ without colour as well


def lines(path, title, machine, series, axis, unit, theme, colours):
    """`series` maps a name to its points (x, y); both axes are logarithmic, or only y if x is small."""
    figure, axes = charts.new(title, machine, 9, theme)
    axes.grid(axis="y", color=theme["grid"], linewidth=0.8)
    axes.set_yscale("log")
    ticks = sorted({x for points in series.values() for x, _ in points})
    if ticks[-1] > 10:
        axes.set_xscale("log")
    for number, (name, points) in enumerate(series.items()):
        axes.plot([x for x, _ in points], [y for _, y in points], color=colours[number % len(colours)], linewidth=1.5,
                  marker=MARKERS[number % len(MARKERS)], markersize=5, label=name)
    axes.set_xticks(ticks, [f"{tick:,}" for tick in ticks])
    axes.get_yaxis().set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.minorticks_off()
    axes.set_xlabel(axis)
    axes.set_ylabel(f"{unit}; logarithmic scale", color=theme["ink"])
    axes.get_yaxis().set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,.6g}"))
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, fontsize=8, labelcolor=theme["ink"])
    charts.save(figure, path)


def draw(folder, points, machine):
    """Draws all charts into a folder and returns their paths."""
    one = [point for point in points if point["replicas"] == min(each["replicas"] for each in points)]
    shape = "hot" if any(point["shape"] == "hot" for point in one) else one[0]["shape"]
    load = {"hot": "one hot account", "spread": "1,000 accounts"}[shape]
    curve_of = {name: curve for (name, where, _), curve in curves(one).items() if where == shape}
    best = {}
    for (name, where, replicas), curve in curves(points).items():
        best.setdefault(f"{name}, {where}", []).append((replicas, max(point["rate"] for point in curve)))
    drawn = []
    for (ending, theme), colours in zip(charts.THEMES.items(), (LIGHT, DARK)):
        for name, title, key, unit in (
                ("scale", f"Transfers per second, {load}, one server", "rate", "transfers per second"),
                ("scale-p99", f"99th percentile of the latency, {load}, one server", "p99_ms", "milliseconds")):
            drawn.append(folder / f"{name}{ending}.svg")
            lines(drawn[-1], title, machine, {each: [(point["clients"], point[key]) for point in curve]
                                              for each, curve in curve_of.items()},
                  "clients in a closed loop", unit, theme, colours)
        if max(point["replicas"] for point in points) > 1:
            drawn.append(folder / f"scale-servers{ending}.svg")
            lines(drawn[-1], "Most transfers per second, by the number of servers", machine, best,
                  "servers on one PostgreSQL", "transfers per second", theme, colours)
    pyplot.close("all")
    return drawn

"""Draws plots as small SVG files: the same bytes for the same data, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_INK = "#808080"
_COLOURS = ("#2f81d7", "#d9730d", "#2da44e", "#bf5af2", "#d1383d", "#8a8d91")
_MARKERS = "osD^vX"
_STYLE = {
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "eventlog",
    "font.size": 11,
    "text.color": _INK,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _INK,
    "grid.alpha": 0.25,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Lines over common x values, or over the first of them; ``limits`` are dashed horizontal lines with a name."""

    title: str
    x_label: str
    y_label: str
    x: Sequence[float]
    lines: Mapping[str, Sequence[float]]
    limits: Mapping[str, float] | None = None
    log_x: bool = False


def draw(path: str, plot: Plot) -> None:
    """Write a plot as SVG, without a date."""
    import matplotlib as mpl  # noqa: PLC0415  slow to import, and only plots need it

    mpl.use("svg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    with plt.rc_context(_STYLE):  # type: ignore[arg-type]
        figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
        for (name, values), colour, marker in zip(plot.lines.items(), _COLOURS, _MARKERS, strict=False):
            axes.plot(plot.x[: len(values)], values, color=colour, marker=marker, markersize=5, label=name)
        for name, value in (plot.limits or {}).items():
            axes.axhline(value, color=_INK, linestyle="--", linewidth=1, label=name)
        if plot.log_x:
            axes.set_xscale("log")
        axes.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label)
        axes.margins(y=0.15)
        axes.set_ylim(bottom=0)
        axes.grid(visible=True)
        axes.legend(frameon=False)
        figure.savefig(path, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
        plt.close(figure)

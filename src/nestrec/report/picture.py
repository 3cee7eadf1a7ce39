"""The charts of quality against width as a PNG, drawn by matplotlib (extra `plot`)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.atomic.output_file import atomic_file
from nestrec.extras import require
from nestrec.report.chart import Chart
from nestrec.report.scales import Scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

TONES = ("#0b6bb0", "#c2560c")
INK, SOFT, RULE = "#1c2126", "#626b74", "#e3e6e8"
_INCHES_PER_CHART = 4.3


def write_picture(path: Path, title: str, charts: Sequence[Chart], *, overwrite: bool = False) -> None:
    """Draw the charts side by side; raise MissingExtraError without matplotlib."""
    figure = figure_of(title, (_INCHES_PER_CHART * len(charts), 4.2))
    axes = figure.subplots(1, len(charts), squeeze=False)[0]
    for one, chart in zip(axes, charts, strict=True):
        _draw(one, chart)
    with atomic_file(path, overwrite=overwrite) as partial:
        figure.savefig(partial, format="png", dpi=150, facecolor="white")


def figure_of(title: str, inches: tuple[float, float]) -> Figure:
    """Return an empty picture of this size under its title; raise MissingExtraError without matplotlib."""
    figure: Figure = require("matplotlib.figure", "plot", "the picture").Figure(figsize=inches, layout="constrained")
    figure.suptitle(title, x=0.012, ha="left", fontsize=13, fontweight="bold", color=INK)
    return figure


def _draw(axes: Axes, chart: Chart) -> None:
    scale = chart.scale
    for line in chart.lines:
        tone = TONES[line.tone % len(TONES)]
        widths = [point.width for point in line.points]
        axes.fill_between(
            widths, [p.low for p in line.points], [p.high for p in line.points], color=tone, alpha=0.17, lw=0
        )
        axes.plot(widths, [p.value for p in line.points], color=tone, marker="o", markersize=4.5, lw=2, label=line.name)
    if len(chart.lines) == 1:
        _write_values(axes, chart)
    else:
        axes.legend(frameon=False, loc="lower right", labelcolor=SOFT)
    _set_scales(axes, chart, scale)
    _finish(axes, chart)


def _write_values(axes: Axes, chart: Chart) -> None:
    for point in chart.lines[0].points:
        axes.annotate(
            chart.shown(point.value, 3), (point.width, point.high), (0, 5), textcoords="offset points", ha="center",
            fontsize=8.5, color=INK,
        )  # fmt: skip


def _set_scales(axes: Axes, chart: Chart, scale: Scale) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(scale.widths), [str(width) for width in scale.widths], minor=False)
    axes.set_xticks([], minor=True)
    axes.set_ylim(0, scale.ticks[-1] * 1.04)
    axes.set_yticks(list(scale.ticks), [chart.shown(tick, 2) for tick in scale.ticks])


def _finish(axes: Axes, chart: Chart) -> None:
    axes.set_title(chart.title, loc="left", fontsize=11, color=INK)
    axes.set_xlabel("width: numbers per vector (log2 scale)", color=SOFT)
    axes.set_ylabel(chart.y_label, color=SOFT)
    axes.grid(axis="y", color=RULE, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(colors=SOFT, length=0)
    axes.spines[:].set_visible(False)

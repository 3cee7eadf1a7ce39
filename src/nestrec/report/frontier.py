"""Plans as a table and as a picture: recall against the time of one question."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.report.picture import INK, RULE, SOFT, TONES, figure_of
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nestrec.retrieval.plan import Measured, Plan, ScreenOptions
    from nestrec.retrieval.storage import Storage

_LOWEST = 0.5  # recall from which shortlists are drawn
_NAMED_BELOW = 0.95  # recall: lines that begin higher run into each other's names
_LIFT = 0.012  # of the picture, from a point to its name


def plans_table(plans: Sequence[Plan], chosen: Plan, title: str) -> TextTable:
    """Return a row for each measured plan; the one that became the chosen one is marked."""
    headers = ("plan", "recall", "p50 ms", "p99 ms", "users/s at once", "bytes per item", "pruned", "")
    rows = (_row(plan, plan.measured, plan.name == chosen.name) for plan in plans if plan.measured is not None)
    return TextTable(headers, tuple(rows), title, n_left=1)


def _row(plan: Plan, measured: Measured, chosen: bool) -> tuple[str, ...]:
    return (
        plan.name,
        f"{measured.recall:.4f}",
        f"{measured.p50_ms:.3g}",
        f"{measured.p99_ms:.3g}",
        f"{measured.per_second:,.0f}",
        f"{measured.bytes_per_item:.1f}",
        f"{100 * measured.pruned:.2f}%",
        "chosen" if chosen else "",
    )


def write_frontier(path: Path, title: str, plans: Sequence[Plan], chosen: Plan, recall: float) -> None:
    """Draw the plans of the chosen one's storage, no slower than the full scan, as a PNG.

    Raises MissingExtraError without matplotlib. Where no screen was chosen, the storage is that of the first.
    """
    figure = figure_of(title, (8.6, 5.4))
    axes = figure.subplots()
    storage = next(plan.screen.storage for plan in (chosen, *plans) if plan.screen is not None)
    shown = [plan for plan in plans if plan.screen is None or plan.screen.storage == storage]
    scan = max(plan.measured.p50_ms for plan in shown if plan.screen is None and plan.measured is not None)
    shown = [plan for plan in shown if plan.measured is not None and plan.measured.p50_ms <= scan]
    for options, own in groupby((plan for plan in shown if plan.screen is not None), key=lambda plan: plan.screen):
        if options is not None:
            _draw_screen(axes, options, list(own))
    _draw_points(axes, [plan for plan in shown if plan.screen is None], "full scan", "D", SOFT)
    axes.axhline(recall, color=SOFT, lw=0.8, ls=":")
    for measured in (plan.measured for plan in plans if plan.name == chosen.name and plan.measured is not None):
        at = measured.p50_ms, measured.recall
        axes.plot(*at, marker="o", ms=15, mfc="none", mec=INK, mew=1.4)
    axes.set_title(f"chosen (ringed): {chosen.name}", loc="left", fontsize=11, color=INK)
    _finish(axes, chosen.k, storage)
    figure.savefig(path, format="png", dpi=150, facecolor="white")


def _draw_screen(axes: Axes, options: ScreenOptions, plans: Sequence[Plan]) -> None:
    """Draw a screen's shortlists as a line, and what it proves as a hollow square."""
    tone = TONES[int(options.turned)]
    growing = [plan for plan in plans if not plan.exact and not plan.stages]
    points = [(m.p50_ms, m.recall) for plan in growing if (m := plan.measured) and m.recall >= _LOWEST]
    if points:
        style = "--" if options.turned else "-"
        axes.plot(*zip(*points, strict=True), color=tone, ls=style, marker="o", ms=4, lw=1.4)
        if points[0][1] < _NAMED_BELOW:
            _write(axes, str(options.width), points[0], (-7, -9), tone)
    proven = [plan for plan in plans if plan.exact]
    _draw_points(axes, proven, f"{options.width}", "s", tone)


def _draw_points(axes: Axes, plans: Sequence[Plan], name: str, marker: str, tone: str) -> None:
    for plan in plans:
        if plan.measured is not None:
            at = plan.measured.p50_ms, plan.measured.recall
            axes.plot(*at, marker=marker, ms=6, mfc="white", mec=tone, ls="none")
            _write(axes, name, at, (0, 6), tone)


def _write(axes: Axes, text: str, at: tuple[float, float], away: tuple[int, int], tone: str) -> None:
    axes.annotate(text, at, away, textcoords="offset points", color=tone, fontsize=9, ha="center")


def _finish(axes: Axes, k: int, storage: Storage) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=TONES[0], marker="o", ms=4, label="shortlists, the model's own numbers"),
        Line2D([], [], color=TONES[1], marker="o", ms=4, ls="--", label="shortlists, turned"),
        Line2D([], [], mec=SOFT, mfc="white", marker="s", ls="none", label="proven"),
    ]
    axes.legend(handles=handles, frameon=False, loc="lower right", labelcolor=SOFT, fontsize=9)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.xaxis.set_minor_formatter(lambda value, _: f"{value:g}" if f"{value:e}"[0] in "2357" else "")
    axes.set_ylim(top=1.0 + 2 * _LIFT)
    axes.set_xlabel(
        f"milliseconds for one question, median (log10 scale); beside the lines, the width of the {storage} screen",
        color=SOFT,
    )
    axes.set_ylabel(f"recall of the full width's best {k}", color=SOFT)
    axes.grid(color=RULE, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(which="both", colors=SOFT, length=0)
    axes.spines[:].set_visible(False)

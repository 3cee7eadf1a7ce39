"""Plans as a table and as a picture: recall against the time of one question."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.atomic.output_file import atomic_file
from nestrec.report.picture import INK, RULE, SOFT, TONES, figure_of
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from nestrec.retrieval.quantization import Storage
    from nestrec.retrieval.search_config import CoarseIndexOptions, Measurements, SearchConfig

_LOWEST = 0.5  # recall from which shortlists are drawn
_HALF = 0.5
_NAMED_BELOW = 0.95  # recall: lines that begin higher run into each other's names
_LIFT = 0.012  # of the recall drawn, above 1
_ACROSS = 500.0  # points from the left of the plot to its right, about
_CHARACTER, _LINE = 5.2, 10.5  # points of a name


def plans_table(plans: Sequence[SearchConfig], chosen: SearchConfig, title: str) -> TextTable:
    """Return a row for each measured plan; the one that became the chosen one is marked."""
    headers = ("plan", "recall", "p50 ms", "p99 ms", "users/s at once", "bytes per item", "pruned", "")
    rows = (_row(plan, plan.measurements, plan.name == chosen.name) for plan in plans if plan.measurements is not None)
    return TextTable(headers, tuple(rows), title, n_left=1)


def _row(plan: SearchConfig, measured: Measurements, chosen: bool) -> tuple[str, ...]:
    return (
        plan.name,
        f"{measured.recall:.4f}",
        f"{measured.p50_ms:.3g}",
        f"{measured.p99_ms:.3g}",
        f"{measured.users_per_second:,.0f}",
        f"{measured.bytes_per_item:.1f}",
        f"{100 * measured.pruned:.2f}%",
        "chosen" if chosen else "",
    )


def write_frontier(
    path: Path,
    title: str,
    plans: Sequence[SearchConfig],
    chosen: SearchConfig,
    recall: float,
    *,
    overwrite: bool = False,
) -> None:
    """Draw the plans of the chosen one's storage, no slower than the full scan, as a PNG.

    Raises MissingExtraError without matplotlib. Where no screen was chosen, the storage is that of the first.
    """
    figure = figure_of(title, (8.6, 5.4))
    axes, names = figure.subplots(), _Names()
    storage = next(plan.index.storage for plan in (chosen, *plans) if plan.index is not None)
    shown = [plan for plan in plans if plan.index is None or plan.index.storage == storage]
    scan = max(plan.measurements.p50_ms for plan in shown if plan.index is None and plan.measurements is not None)
    shown = [plan for plan in shown if _worth_drawing(plan, scan)]
    with_rows = [plan.index.width for plan in shown if plan.index is not None and plan.index.refinement_width]
    for options, own in groupby((plan for plan in shown if plan.index is not None), key=lambda plan: plan.index):
        if options is not None and (
            not options.refinement_width or options.width == max(with_rows) or options == chosen.index
        ):
            _draw_screen(axes, options, list(own), names)
    _draw_points(axes, [plan for plan in shown if plan.index is None], "full scan", "D", SOFT, names)
    n_lines = names.write(axes)
    axes.axhline(recall, color=SOFT, lw=0.8, ls=":")
    for measured in (plan.measurements for plan in plans if plan.name == chosen.name and plan.measurements is not None):
        at = measured.p50_ms, measured.recall
        axes.plot(*at, marker="o", ms=15, mfc="none", mec=INK, mew=1.4)
    axes.set_title(f"chosen (ringed): {chosen.name}", loc="left", fontsize=11, color=INK, pad=6 + _LINE * (n_lines - 1))
    _finish(axes, chosen.k, storage)
    with atomic_file(path, overwrite=overwrite) as partial:
        figure.savefig(partial, format="png", dpi=150, facecolor="white")


@dataclass
class _Names:
    """Names of points on one line at the top: written above it, one over the other where they would touch."""

    found: list[tuple[float, float, str, str]] = field(default_factory=list)  # milliseconds, recall, name, tone

    def write(self, axes: Axes) -> int:
        """Write them, once all points are drawn; return how many lines of names there are."""
        low, high = (math.log(limit) for limit in (min(self.found)[0], max(self.found)[0]))
        ends: list[float] = []  # how far right each line of names reaches
        for ms, recall, name, tone in sorted(self.found):
            middle = (math.log(ms) - low) / max(high - low, 1e-9) * _ACROSS
            half = _CHARACTER * len(name) / 2
            line = next((at for at, end in enumerate(ends) if end <= middle - half), len(ends))
            ends[line : line + 1] = [middle + half + _CHARACTER]
            _write(axes, name, (ms, recall), (0, 6 + _LINE * line), tone)
        return len(ends)


def _worth_drawing(plan: SearchConfig, scan: float) -> bool:
    """Tell whether it is no slower than the full scan; a proof that takes most of its time has scored nearly all."""
    if plan.measurements is None:
        return False
    return plan.measurements.p50_ms <= (_HALF * scan if plan.exact and plan.index is not None else scan)


def _draw_screen(axes: Axes, options: CoarseIndexOptions, plans: Sequence[SearchConfig], names: _Names) -> None:
    """Draw a screen's shortlists as a line, and what it proves as a hollow square."""
    tone = TONES[int(options.rotate)]
    growing = [
        plan
        for plan in plans
        if not plan.exact and all(stage.width == options.refinement_width for stage in plan.stages)
    ]
    points = [(m.p50_ms, m.recall) for plan in growing if (m := plan.measurements) and m.recall >= _LOWEST]
    if points:
        style = ":" if options.refinement_width else "--" if options.rotate else "-"
        axes.plot(*zip(*points, strict=True), color=tone, ls=style, marker="o", ms=4, lw=1.4)
        if (
            points[0][1] < _NAMED_BELOW and not options.refinement_width
        ):  # with rows, a line begins where the one without does
            _write(axes, str(options.width), points[0], (9, -11) if options.rotate else (-10, -3), tone)
    proven = [plan for plan in plans if plan.exact]
    more = "+rows" if options.refinement_width else " in cells" if options.n_clusters else ""
    _draw_points(axes, proven, f"{options.width}{more}", "s", tone, names)


def _draw_points(axes: Axes, plans: Sequence[SearchConfig], name: str, marker: str, tone: str, names: _Names) -> None:
    for plan in plans:
        if plan.measurements is not None:
            at = plan.measurements.p50_ms, plan.measurements.recall
            axes.plot(*at, marker=marker, ms=6, mfc="white", mec=tone, ls="none")
            names.found.append((*at, name, tone))


def _write(axes: Axes, text: str, at: tuple[float, float], away: tuple[float, float], tone: str) -> None:
    axes.annotate(text, at, away, textcoords="offset points", color=tone, fontsize=9, ha="center")


def _finish(axes: Axes, k: int, storage: Storage) -> None:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=TONES[0], marker="o", ms=4, label="shortlists, the model's own numbers"),
        Line2D([], [], color=TONES[1], marker="o", ms=4, ls="--", label="shortlists, turned"),
        Line2D([], [], color=SOFT, marker="o", ms=4, ls=":", label="shortlists, then rows (widest such screen)"),
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

"""Measured search configs as a table, and as a chart of recall against the time of one query."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from nestrec.report.chart import Chart, Labels, Marker, Point, Series
from nestrec.report.scales import Frame, log_ticks
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig

_LOWEST_RECALL = 0.5  # from which configs are drawn
_NAMED_BELOW = 0.95  # recall; names of lines that begin higher would overlap
_LARGEST_TIME = 0.5  # of the full scan, for certified configs to be drawn
_FRAME = Frame(640, 460)
_SCAN_TONE = 3


def search_configs_table(configs: Sequence[SearchConfig], chosen: SearchConfig, title: str) -> TextTable:
    """Return a row per measured config; the chosen one is marked."""
    headers = ("search config", "recall", "p50 ms", "p99 ms", "users/s batched", "bytes per item", "pruned", "")
    rows = tuple(
        (
            config.name,
            f"{measured.recall:.4f}",
            f"{measured.p50_ms:.3g}",
            f"{measured.p99_ms:.3g}",
            f"{measured.users_per_second:,.0f}",
            f"{measured.bytes_per_item:.1f}",
            f"{100 * measured.pruned:.2f}%",
            "chosen" if config.name == chosen.name else "",
        )
        for config in configs
        if (measured := config.measurements) is not None
    )
    return TextTable(headers, rows, title, n_left=1)


def frontier_chart(title: str, configs: Sequence[SearchConfig], chosen: SearchConfig, recall: float) -> Chart:
    """Return the chart of configs with the storage of the chosen one that are no slower than the full scan.

    If the full scan was chosen, the storage is that of the first coarse index.
    """
    series = tuple(_build_series(configs, chosen))
    seconds = [point.x for one in series for point in one.points]
    ring = next((_point(config) for config in configs if config.name == chosen.name and config.measurements), None)
    storage = _select_storage(configs, chosen)
    return Chart(
        f"{title}; chosen (ringed): {chosen.name}",
        f"median milliseconds per query (log scale); numbers: dimensions of the {storage} coarse index",
        f"recall of the exact top {chosen.k}",
        series,
        log_ticks(min(seconds), max(seconds)),
        Labels.POINTS,
        frame=_FRAME,
        target=recall,
        ring=ring,
    )


def _build_series(configs: Sequence[SearchConfig], chosen: SearchConfig) -> Iterator[Series]:
    storage = _select_storage(configs, chosen)
    shown = [config for config in configs if config.index is None or config.index.storage == storage]
    scan_ms = max(_point(config).x for config in shown if config.index is None and config.measurements)
    shown = [config for config in shown if _is_shown(config, scan_ms)]
    refined = [config.index.width for config in shown if config.index is not None and config.index.refinement_width]
    for config in shown:
        if config.index is None:
            yield _single(config, "full scan", Marker.DIAMOND, _SCAN_TONE)
    for index, group in groupby((config for config in shown if config.index is not None), key=lambda one: one.index):
        if index is not None and (not index.refinement_width or index.width == max(refined) or index == chosen.index):
            yield from _draw_index(index, list(group))


def _select_storage(configs: Sequence[SearchConfig], chosen: SearchConfig) -> str:
    return next(str(config.index.storage) for config in (chosen, *configs) if config.index is not None)


def _is_shown(config: SearchConfig, scan_ms: float) -> bool:
    """Return whether a config is fast enough; a certificate that takes most of a full scan has scored nearly all."""
    if config.measurements is None:
        return False
    is_certified = config.exact and config.index is not None
    return config.measurements.p50_ms <= (_LARGEST_TIME * scan_ms if is_certified else scan_ms)


def _draw_index(index: CoarseIndexOptions, configs: Sequence[SearchConfig]) -> Iterator[Series]:
    """Yield a coarse index's shortlists as a line, and its certified search as a hollow square."""
    tone, refines = int(index.rotate), bool(index.refinement_width)
    shortlists = [
        config
        for config in configs
        if not config.exact and all(stage.width == index.refinement_width for stage in config.stages)
    ]
    points = tuple(point for config in shortlists if (point := _point(config)).y >= _LOWEST_RECALL)
    if points:
        rotated = ", rotated" if index.rotate else ""
        is_named = points[0].y < _NAMED_BELOW and not refines  # a refined line begins where the plain one does
        yield Series(
            str(index.width) if is_named else "",
            points,
            tone,
            line="dotted" if refines else "dashed" if index.rotate else "solid",
            legend=f"shortlists, refinement codes{rotated}" if refines else f"shortlists{rotated}",
        )
    detail = " + refinement" if refines else " + clusters" if index.n_clusters else ""
    for config in configs:
        if config.exact:
            yield _single(config, f"{index.width}{detail}", Marker.SQUARE, tone, "certified exact")


def _single(config: SearchConfig, name: str, marker: Marker, tone: int, legend: str = "") -> Series:
    return Series(name, (_point(config),), tone, marker, line="", hollow=True, legend=legend or None)


def _point(config: SearchConfig) -> Point:
    measured = config.measured
    tip = f"{config.name}: recall {measured.recall:.4f}, {measured.p50_ms:.3g} ms"
    return Point(measured.p50_ms, measured.recall, tip=tip)

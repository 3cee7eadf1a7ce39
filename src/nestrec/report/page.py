"""HTML page of quality against width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nestrec.report.chart import Chart, Marker, Point, Series
from nestrec.report.html import document, table_html
from nestrec.report.quality import WidthQuality, compute_share
from nestrec.report.table import TextTable


@dataclass(frozen=True)
class Page:
    """Contents of the page."""

    title: str
    headline: str
    rows: tuple[WidthQuality, ...]
    labels: tuple[str, ...]  # of the metrics drawn, such as recall@20, ndcg@20
    tables: tuple[TextTable, ...]
    commands: tuple[str, ...]  # to try next
    notes: tuple[str, ...]  # on data and method

    def html(self) -> str:
        """Return the HTML document."""
        charts = "\n".join(f'<div class="card">{chart.svg()}</div>' for chart in quality_charts(self.rows, self.labels))
        notes = "\n".join(f"<p>{escape(note)}</p>" for note in self.notes)
        commands = escape("\n".join(self.commands))
        body = [
            f'<h1>{escape(self.title)}</h1>\n<p class="headline">{escape(self.headline)}</p>',
            f'<div class="charts">\n{charts}\n</div>',
            *(table_html(table) for table in self.tables),
            f"<h2>Try next</h2>\n<pre>{commands}</pre>",
            f"<footer>{notes}</footer>",
        ]
        return document(self.title, body)


def quality_charts(rows: Sequence[WidthQuality], labels: Sequence[str]) -> tuple[Chart, ...]:
    """Return a chart per metric, and one of the share of the full width's quality that narrower widths keep."""
    shares = tuple(_share_series(rows, label, tone) for tone, label in enumerate(labels))
    return (
        *(_chart(f"{label} by width", label, (_metric_series(rows, label, at),)) for at, label in enumerate(labels)),
        _chart("Share of the full width's quality kept", "share kept", shares, percent=True),
    )


def _chart(title: str, y_label: str, series: tuple[Series, ...], *, percent: bool = False) -> Chart:
    widths = tuple(point.x for point in series[0].points)
    return Chart(title, "width: dimensions per vector (log scale)", y_label, series, widths, percent=percent)


def _metric_series(rows: Sequence[WidthQuality], label: str, tone: int) -> Series:
    points = []
    for row in rows:
        estimate = row.metrics[label]
        interval = f" (95%: {estimate.low:.4f} to {estimate.high:.4f})" if estimate.low < estimate.high else ""
        tip = f"{label} at width {row.width}: {estimate.value:.4f}{interval}"
        points.append(Point(row.width, estimate.value, estimate.low, estimate.high, tip))
    return Series(label, tuple(points), tone)


def _share_series(rows: Sequence[WidthQuality], label: str, tone: int) -> Series:
    shares = [(row.width, compute_share(row, rows[-1], label)) for row in rows]
    points = tuple(Point(width, share, tip=f"{label} at width {width}: {share:.1%}") for width, share in shares)
    return Series(label, points, tone, tuple(Marker)[tone])

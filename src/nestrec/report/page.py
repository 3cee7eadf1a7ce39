"""One HTML page on quality against width."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nestrec.report.chart import Chart, Line, Point
from nestrec.report.html import document, table_html
from nestrec.report.quality import WidthQuality, kept
from nestrec.report.table import TextTable


@dataclass(frozen=True)
class Page:
    """What the page says."""

    title: str
    headline: str
    rows: tuple[WidthQuality, ...]
    labels: tuple[str, ...]  # metrics drawn, such as recall@20, ndcg@20
    tables: tuple[TextTable, ...]
    commands: tuple[str, ...]  # what to try next
    notes: tuple[str, ...]  # how it was made and measured

    def html(self) -> str:
        """Return the whole document."""
        charts = "\n".join(f'<div class="card">{chart.svg()}</div>' for chart in charts_of(self.rows, self.labels))
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


def charts_of(rows: Sequence[WidthQuality], labels: Sequence[str]) -> tuple[Chart, ...]:
    """Return one chart a metric and one of the share of the full width's quality kept."""
    by_metric = tuple(
        Chart(f"{label} by width", label, (_measured(rows, label, tone),)) for tone, label in enumerate(labels)
    )
    shares = tuple(_shares(rows, label, tone) for tone, label in enumerate(labels))
    return (*by_metric, Chart("Share of the full width's quality kept", "share kept", shares, percent=True))


def _measured(rows: Sequence[WidthQuality], label: str, tone: int) -> Line:
    estimates = [(row.width, row.metrics[label]) for row in rows]
    return Line(label, tuple(Point(width, e.value, e.low, e.high) for width, e in estimates), tone)


def _shares(rows: Sequence[WidthQuality], label: str, tone: int) -> Line:
    shares = [(row.width, kept(row, rows[-1], label)) for row in rows]
    return Line(label, tuple(Point(width, share, share, share) for width, share in shares), tone)

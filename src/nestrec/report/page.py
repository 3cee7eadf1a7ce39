"""One HTML page on quality against width: no scripts, no links to elsewhere, light and dark."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from nestrec.report.chart import Chart, Line, Point
from nestrec.report.quality import WidthQuality, kept
from nestrec.report.table import TextTable

_STYLE = """
:root { color-scheme: light dark; --ground: #fbfbf9; --card: #ffffff; --ink: #1c2126; --soft: #626b74;
  --rule: #e3e6e8; --tone-0: #0b6bb0; --tone-1: #c2560c; --mark: #eef5fb; }
@media (prefers-color-scheme: dark) { :root { --ground: #14171a; --card: #1c2024; --ink: #e8ebed; --soft: #9aa4ad;
  --rule: #31373d; --tone-0: #62b5f0; --tone-1: #f3a35c; --mark: #1d2c38; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 56px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .7rem; }
p { margin: 0 0 .8rem; max-width: 70ch; }
.soft, footer { color: var(--soft); }
.headline { font-size: 1.15rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 16px; margin: 1.6rem 0 0; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 10px 12px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
tr:last-child td { border-bottom: 0; }
th { font-weight: 600; color: var(--soft); font-size: .88rem; }
pre { background: var(--mark); border-radius: 8px; padding: 14px 16px; margin: 0; overflow-x: auto;
  font: .88rem/1.7 ui-monospace, "SF Mono", Consolas, monospace; }
footer { margin-top: 2.4rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: .88rem; }
svg { display: block; width: 100%; height: auto; }
svg text { fill: var(--soft); font: 11.5px system-ui, "Segoe UI", sans-serif; text-anchor: middle; }
svg .title { fill: var(--ink); font-size: 14px; font-weight: 600; text-anchor: start; }
svg .value { fill: var(--ink); font-size: 11px; }
svg .right { text-anchor: end; }
svg .left { text-anchor: start; }
svg .grid { stroke: var(--rule); }
svg .curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
svg .band { stroke: none; opacity: .17; }
svg .curve.line-0 { stroke: var(--tone-0); } svg .curve.line-1 { stroke: var(--tone-1); }
svg .band.line-0, svg .dot.line-0 { fill: var(--tone-0); } svg .band.line-1, svg .dot.line-1 { fill: var(--tone-1); }
"""


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
        return "\n".join(
            [
                '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
                '<meta name="viewport" content="width=device-width, initial-scale=1">',
                f"<title>{escape(self.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
                f'<h1>{escape(self.title)}</h1>\n<p class="headline">{escape(self.headline)}</p>',
                f'<div class="charts">\n{charts}\n</div>',
                *(_table(table) for table in self.tables),
                f"<h2>Try next</h2>\n<pre>{commands}</pre>",
                f"<footer>{notes}</footer>\n</main>\n</body>\n</html>\n",
            ]
        )


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


def _table(table: TextTable) -> str:
    title = "" if table.title is None else f"<h2>{escape(table.title)}</h2>\n"
    head = "".join(f"<th>{escape(header)}</th>" for header in table.headers)
    body = "\n".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f'{title}<div class="card scroll"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'

"""HTML documents in one file: no scripts, nothing fetched, light and dark, with accessible tables."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from nestrec.report import chart_style
from nestrec.report.table import TextTable

_STYLE = """
* { box-sizing: border-box; }
body { margin: 0; background: var(--ground); color: var(--ink); font: 16px/1.55 system-ui, "Segoe UI", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 40px 24px 56px; }
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .4rem; letter-spacing: -.01em; text-wrap: balance; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .7rem; }
p { margin: 0 0 .8rem; max-width: 70ch; }
ul { margin: 0 0 .8rem; padding-left: 1.2rem; max-width: 80ch; }
.soft, footer { color: var(--soft); }
.headline { font-size: 1.15rem; }
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(320px, 1fr)); gap: 16px; margin: 1.6rem 0 0; }
.card { background: var(--card); border: 1px solid var(--rule); border-radius: 10px; padding: 10px 12px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { text-align: right; padding: .4rem .6rem; border-bottom: 1px solid var(--rule); white-space: nowrap; }
th.left, td.left { text-align: left; }
tr:last-child > * { border-bottom: 0; }
th { font-weight: 400; color: var(--soft); font-size: .88rem; }
tbody th { color: inherit; font-size: inherit; }
summary { cursor: pointer; margin: 1.2rem 0 .6rem; }
pre { background: var(--mark); border-radius: 8px; padding: 14px 16px; margin: 0; overflow-x: auto;
  font: .88rem/1.7 ui-monospace, "SF Mono", Consolas, monospace; }
footer { margin-top: 2.4rem; padding-top: 1rem; border-top: 1px solid var(--rule); font-size: .88rem; }
svg { display: block; width: 100%; height: auto; }
@media (max-width: 600px) { main { padding: 20px 12px 32px; } .card { padding: 6px 4px; } }
"""


def document(title: str, body: Iterable[str], style: str = "") -> str:
    """Return a document with these HTML parts as its body; `style` is added to the common style sheet."""
    return "\n".join(
        [
            '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(title)}</title>\n<style>{chart_style.COLOURS}{chart_style.STYLE}{_STYLE}{style}</style>\n</head>\n<body>\n<main>",
            *body,
            "</main>\n</body>\n</html>\n",
        ]
    )


def table_html(table: TextTable) -> str:
    """Return a table with its title as a heading; the first cell of a row is its header."""
    title = "" if table.title is None else f"<h2>{escape(table.title)}</h2>\n"
    named = "" if table.title is None else f' aria-label="{escape(table.title)}"'
    head = "".join(f'<th scope="col"{_side(table, at)}>{escape(text)}</th>' for at, text in enumerate(table.headers))
    body = "\n".join(f"<tr>{_row(table, row)}</tr>" for row in table.rows)
    return (
        f'{title}<div class="card scroll" tabindex="0"><table{named}>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody>\n</table></div>"
    )


def _row(table: TextTable, row: tuple[str, ...]) -> str:
    first = f'<th scope="row"{_side(table, 0)}>{escape(row[0])}</th>'
    return first + "".join(f"<td{_side(table, at)}>{escape(text)}</td>" for at, text in enumerate(row[1:], 1))


def _side(table: TextTable, column: int) -> str:
    return ' class="left"' if table.is_left(column) else ""

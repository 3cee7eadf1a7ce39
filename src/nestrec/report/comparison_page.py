"""One HTML page on a comparison: the conclusion, the pictures, the figures, how it was measured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from nestrec.report.comparison import best_table, cost_table, has_unknown_users, known_table, metric_table
from nestrec.report.comparison_details import catalogue_table, figures_table, options_table, seeds_table
from nestrec.report.comparison_pictures import seconds_chart, width_chart
from nestrec.report.comparison_text import conclusion, measured
from nestrec.report.html import document, table_html
from nestrec.report.table import TextTable
from nestrec.report.verdict import labels_of

if TYPE_CHECKING:
    from nestrec.comparison.result import Comparison

_STYLE = """
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); }
svg text { font-size: 12px; }
svg .curve.line-0 { stroke-width: 3.2; }
svg .name.line-0 { font-weight: 700; }
svg .dot { stroke: var(--card); stroke-width: .8; }
tbody tr:first-child > * { font-weight: 600; }
.every tbody tr:first-child > * { font-weight: 400; }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 1rem 0 .4rem;
  max-width: none; color: var(--soft); font-size: .92rem; }
.key b { display: inline-block; width: 1.5em; margin-right: .45em; vertical-align: middle; border-top: 3px solid; }
.key .dashed { border-top-style: dashed; border-top-width: 2px; }
"""
_KEY = (
    (0, "", "{reference}, with its 95% interval"),
    (1, "", "one fit serves every width"),
    (2, "", "trained anew for each width"),
    (3, "dashed", "has no width"),
)

_READING = (
    "The band is that of its users; the intervals of the others stand in the tables. By training time, a point is the "
    "time to have a model at every width; for a model that is trained anew for each width, the thin line begins at the "
    "time of its longest single fit."
)


def comparison_page(found: Comparison) -> str:
    """Return the whole document."""
    labels = labels_of(found)
    title = f"{found.reference} and {len(found.models) - 1} other models"
    first, *further = conclusion(found)
    body = [
        f'<h1>{escape(title)}</h1>\n<p class="headline">{escape(first)}</p>',
        *_list(further),
        _pictures(found, labels[:2]),
        *(table_html(best_table(found, label)) for label in labels[:2]),
        *(table_html(table) for label in labels for table in _metric_tables(found, label)),
        table_html(cost_table(found)),
        table_html(catalogue_table(found)),
        *(_folded(figures_table(found, label)) for label in labels),
        _folded(options_table(found)),
        _folded(seeds_table(found)),
        "<h2>How it was measured</h2>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in measured(found)),
        f"<footer>Written by {escape(_version())}.</footer>",
    ]
    return document(title, body, _STYLE)


def _metric_tables(found: Comparison, label: str) -> Iterator[TextTable]:
    yield metric_table(found, label)
    if has_unknown_users(found):
        yield known_table(found, label)


def _pictures(found: Comparison, labels: Sequence[str]) -> str:
    charts = [chart(found, label) for label in labels for chart in (width_chart, seconds_chart)]
    cards = "\n".join(f'<div class="card">{chart.svg()}</div>' for chart in charts if chart is not None)
    return "\n".join(
        [
            f'<div class="charts">\n{cards}\n</div>',
            f'<ul class="key">{"".join(_key(found.reference))}</ul>',
            f'<p class="soft">{_READING}</p>',
        ]
    )


def _key(reference: str) -> Iterator[str]:
    for tone, css, text in _KEY:
        swatch = f'<b class="{css}" style="color: var(--tone-{tone})"></b>'
        yield f"<li>{swatch}{escape(text.format(reference=reference))}</li>"


def _list(sentences: Iterable[str]) -> Iterator[str]:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    if items:
        yield f"<ul>{items}</ul>"


def _folded(table: TextTable) -> str:
    """Return a table that opens under its title."""
    inner = table_html(replace(table, title=None))
    return f'<details class="every"><summary>{escape(table.title or "")}</summary>{inner}</details>'


def _version() -> str:
    from nestrec import __version__

    return f"nestrec {__version__}"

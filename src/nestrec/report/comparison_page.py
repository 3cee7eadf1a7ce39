"""HTML page of a comparison: conclusion, charts, tables and method, in one file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from html import escape

from nestrec.report import comparison_tables as tables
from nestrec.report.comparison_charts import KIND_TONES, comparison_charts
from nestrec.report.comparison_text import conclusion, describe_method
from nestrec.report.comparison_view import ComparisonView
from nestrec.report.html import document, table_html
from nestrec.report.table import TextTable

_STYLE = """
.charts { grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr)); }
.key { list-style: none; padding: 0; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: 1rem 0 .4rem;
  max-width: none; color: var(--soft); font-size: .92rem; }
.key span { display: inline-block; width: 1.5em; margin-right: .45em; vertical-align: middle; border-top: 2px solid; }
.key .wide { border-top-width: 3px; }
.key .dashed { border-top-style: dashed; }
"""
_KEY = {
    "nested": ("solid", "one fit for all widths"),
    "single": ("solid", "one fit per width"),
    "whole": ("dashed", "no widths"),
}


def comparison_page(view: ComparisonView) -> str:
    """Return the HTML document."""
    title = f"{view.reference} and {len(view.comparison.models) - 1} other models"
    first, *further = conclusion(view)
    main = view.labels[:2]
    body = [
        f'<h1>{escape(title)}</h1>\n<p class="headline">{escape(first)}</p>',
        *_list(further),
        *_charts(view),
        *(table_html(tables.best_table(view, label)) for label in main),
        *(table_html(table) for label in view.labels for table in tables.metric_tables(view, label)),
        table_html(tables.cost_table(view)),
        table_html(tables.catalogue_table(view)),
        *(_folded(tables.bands_table(view, label)) for label in main if view.comparison.data.bands),
        *(_folded(tables.differences_table(view, label)) for label in view.labels),
        _folded(tables.options_table(view)),
        _folded(tables.seeds_table(view)),
        "<h2>Method</h2>",
        *(f"<p>{escape(paragraph)}</p>" for paragraph in describe_method(view)),
        f"<footer>Written by {escape(_version())}.</footer>",
    ]
    return document(title, body, _STYLE)


def _charts(view: ComparisonView) -> Iterator[str]:
    """Yield the charts of the first two metrics, a key to what is drawn in them, and how to read them."""
    charts = [chart for label in view.labels[:2] for chart in comparison_charts(view, label)]
    if not charts:
        return
    cards = "\n".join(f'<div class="card">{chart.svg()}</div>' for chart in charts)
    yield f'<div class="charts">\n{cards}\n</div>\n<ul class="key">{"".join(_key(view))}</ul>'
    drawn = {model.name: model.kind for model in view.comparison.models if any(cell.metrics for cell in model.cells)}
    notes = [f"The band is the 95% interval of {view.reference}; those of the others are in the tables."]
    if "single" in drawn.values() and len(view.widths) > 1:
        notes.append(
            "By training time, a point is the total over all widths; for models with one fit per width, a thin line "
            "starts at the longest single fit."
        )
    notes.append("Axes start where the data do, unless 0 is close; a value below an axis has an arrow (↓).")
    yield f'<p class="soft">{escape(" ".join(notes))}</p>'


def _key(view: ComparisonView) -> Iterator[str]:
    drawn = [model for model in view.comparison.models if any(cell.metrics for cell in model.cells)]
    if any(model.name == view.reference for model in drawn):
        yield _key_entry(0, "wide", view.reference)
    kinds = {model.kind for model in drawn if model.name != view.reference}
    for kind, (css, text) in _KEY.items():
        if kind in kinds:
            yield _key_entry(KIND_TONES[kind], css, text)


def _key_entry(tone: int, css: str, text: str) -> str:
    return f'<li><span class="{css}" style="border-color: var(--tone-{tone})"></span>{escape(text)}</li>'


def _list(sentences: Iterable[str]) -> Iterator[str]:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    if items:
        yield f"<ul>{items}</ul>"


def _folded(table: TextTable) -> str:
    """Return a table that is shown on a click on its title."""
    inner = table_html(replace(table, title=None))
    return f"<details><summary>{escape(table.title or '')}</summary>{inner}</details>"


def _version() -> str:
    from nestrec import __version__

    return f"nestrec {__version__}"

"""Tables in notebooks: HTML without style sheets or scripts, in the colours of the notebook, light or dark."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from html import escape

_RULE = "border-bottom: 1px solid rgba(128, 128, 128, .35)"
_CELL = f"padding: .25em .75em; white-space: nowrap; {_RULE}"


def format_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[object]],
    *,
    caption: str = "",
    note: str = "",
    left: Collection[int] = (0,),
) -> str:
    """Return a table as HTML; texts are escaped, and the columns in `left` are aligned to the left.

    >>> "<b>" in format_table(["item"], [["<b>"]])
    False
    """
    head = "".join(_cell("th", text, place in left) for place, text in enumerate(headers))
    body = "\n".join(f"<tr>{_row(row, left)}</tr>" for row in rows)
    above = f'<div style="margin: .2em 0 .4em">{escape(caption)}</div>\n' if caption else ""
    below = f'\n<div style="margin: .4em 0; opacity: .75">{escape(note)}</div>' if note else ""
    style = "border-collapse: collapse; margin: 0; font-variant-numeric: tabular-nums"
    return (
        f'<div style="overflow-x: auto">\n{above}<table style="{style}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody>\n</table>{below}\n</div>"
    )


def format_value(value: object) -> str:
    """Return a value of a table as text.

    >>> format_value(0.123456), format_value(None), format_value(1234567), format_value([0.5, 1.0])
    ('0.1235', '–', '1234567', '0.5, 1')
    """
    if value is None or value != value:
        return "–"
    if isinstance(value, float):
        return f"{value:.4f}" if 1e-3 <= abs(value) < 1e3 else f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(f"{number:.3g}" for number in value)
    return str(value)


def _row(row: Sequence[object], left: Collection[int]) -> str:
    return "".join(_cell("td", format_value(value), place in left) for place, value in enumerate(row))


def _cell(tag: str, text: str, is_left: bool) -> str:  # noqa: FBT001 - one of two alignments
    return f'<{tag} style="text-align: {"left" if is_left else "right"}; {_CELL}">{escape(text)}</{tag}>'

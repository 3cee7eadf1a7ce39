"""Detect the format of text by its content. Adjacency is chosen only where the file cannot be a table."""

from __future__ import annotations

import re
from collections import Counter

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.columns import has_usual_names
from nestrec.errors import DataError

_TABLE_OPTIONS = (
    "user_column", "item_column", "rating_column", "timestamp_column", "min_rating", "header", "delimiter",
    "keep_timestamps", "sequence",
)  # fmt: skip
_DELIMITERS = (",", ";", "|", "::")
_INDEX = re.compile(r"[0-9]+\Z")
_MANY = 64  # numbers on one line: more than a table of interactions has columns


def detect_text_format(head: bytes, *, is_whole: bool, options: ReadOptions, name: str) -> str:
    """Return the format of text by its first bytes; `is_whole` tells that they are all there are.

    Raises DataError where it could be adjacency text as well as a table.
    """
    text = head.decode("utf-8", "replace")
    lines = [line for line in re.split(r"[\r\n]+", text) if line.strip()]
    cut = lines.pop() if lines and not is_whole and not text.endswith(("\n", "\r")) else ""
    first = lines[0] if lines else cut
    if first.lstrip("\ufeff ").startswith("{"):
        return "jsonl"
    if ":token" in first:
        return "recbole"
    defaults = ReadOptions()
    if any(getattr(options, option) != getattr(defaults, option) for option in _TABLE_OPTIONS):
        return "csv"
    if not first or _is_table(lines or [cut]):
        return "csv"
    doubt = _find_doubt(lines, cut)
    if doubt:
        raise DataError(
            f"{name} may be adjacency text (`user item item …`) or a table with blanks between fields: {doubt}; say "
            "which with format='adjacency', or with format='csv' delimiter=' ' and, where the first line is no header, "
            "user_column=1 item_column=2",
            mentions=("user_column=1", "item_column=2", "format='adjacency'", "format='csv'", "delimiter=' '"),
        )
    return "adjacency"


def _is_table(lines: list[str]) -> bool:
    """Return whether the lines have delimiters, a header with usual names, or a constant number of tabs."""
    if any(mark in line for line in lines for mark in _DELIMITERS):
        return True
    rows = [line for line in lines if not line.startswith(("#", "%"))] or lines
    if has_usual_names(rows[0].split()) or has_usual_names(lines[0].lstrip("#% \t").split()):
        return True
    tabs = {line.count("\t") for line in rows}
    return len(tabs) == 1 and tabs != {0} and not any(" " in line.strip() for line in rows)


def _find_doubt(lines: list[str], cut: str) -> str:
    """Return why the lines may be a table, or "" where they cannot be one."""
    rows = [line.split() for line in lines]
    sizes = Counter(map(len, rows))
    if any(line.startswith(("#", "%")) for line in lines):
        return "it has comment lines"
    if "\t" in cut or any("\t" in line for line in lines):
        return "it has tabs"
    if len(rows) > 1 and len(sizes) == 1:
        return f"every line has {len(rows[0])} fields"
    if not all(_INDEX.match(token) for row in [*rows, cut.split()[:-1]] for token in row):
        return "its fields are not all indices such as 17"
    if len(cut.split()) > _MANY or (sizes and max(sizes) > _MANY):
        return _find_doubt_of_counts(rows)
    if len(rows) < 2:
        return "it has one line"
    if sizes.most_common(1)[0][1] > 0.8 * len(rows):
        return f"most lines have {sizes.most_common(1)[0][0]} fields"
    if len({row[0] for row in rows}) < len(rows):
        return "its first field is the same on several lines"
    return _find_doubt_of_counts(rows)


def _find_doubt_of_counts(rows: list[list[str]]) -> str:
    """Return that the lines begin with the number of their items, where they do."""
    if len(rows) > 1 and all(len(row) > 1 and int(row[1]) == len(row) - 2 for row in rows):
        return "its second field is the number of the fields after it, which would be read as an item"
    if len(rows) > 1 and all(int(row[0]) == len(row) - 1 for row in rows):
        return "its first field is the number of the fields after it, which would be read as a user"
    return ""

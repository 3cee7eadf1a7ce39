"""The top of a file of ids or interactions: names of its columns, and the first rows of delimited text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

from nestrec.cli.id_files import is_usual, split_fields

_HEAD = 1 << 16  # bytes
_DELIMITERS = (",", "\t", ";")


class Head(NamedTuple):
    """What the top of a file shows; nothing of standard input."""

    names: Sequence[str] = ()  # of the columns; of text, the fields of its first line
    lines: Sequence[str] = ()  # of text that is not JSON, as far as they were read
    delimiter: str = ","  # between the fields of these lines

    @property
    def is_text(self) -> bool:
        """Whether this is text of fields."""
        return bool(self.lines)

    @property
    def rows(self) -> list[list[str]]:
        """The fields of the lines."""
        return [split_fields(line, self.delimiter) for line in self.lines]

    def has_names(self, *roles: str) -> bool:
        """Tell whether columns of all these roles (user, item) are among the names."""
        return all(any(is_usual(name, role) for name in self.names) for role in roles)


def read_head(path: Path) -> Head:
    """Return the top of a file."""
    from nestrec.data.readers.byte_source import ByteSource
    from nestrec.data.readers.location import locate
    from nestrec.data.readers.parquet import read_parquet_names

    location = locate(path)
    if location.is_standard_input:
        return Head()
    with closing(ByteSource(location)) as source:
        if source.format is not None:
            return Head(read_parquet_names(source) if source.format.name == "parquet" else ())
        top = source.head(_HEAD)
    lines = [line for line in top.decode("utf-8", "replace").splitlines() if line.strip()] or [""]
    if len(top) == _HEAD and len(lines) > 1:  # the last one may be cut
        lines.pop()
    if lines[0].lstrip().startswith("{"):
        return Head(list(_parse_object(lines[0])))
    delimiter = max(_DELIMITERS, key=lambda one: len(split_fields(lines[0], one)))
    return Head(split_fields(lines[0], delimiter), lines, delimiter)


def _parse_object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

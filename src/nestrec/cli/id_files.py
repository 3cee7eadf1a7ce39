"""Ids named on the command line: one by one, or in a file, one a line or in the first column."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.errors import DataError

if TYPE_CHECKING:
    from nestrec.data.vocabulary import Vocabulary

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON = (".json", ".jsonl", ".ndjson")
_PACKED = (".gz", ".zst")


def ids_in(path: Path, known: Vocabulary, role: str) -> Iterator[str]:
    """Yield the ids of a text file in order; `role` is user or item.

    A .csv or .tsv gives its first column, any other file its lines. A first line that is a usual name for a column of
    users or items, and no id of the model, is a header. Raises DataError where the file cannot be read or has no ids.
    """
    from nestrec.data.readers.byte_source import ByteSource, as_stream

    with closing(ByteSource(path)) as source:
        if source.head(4) == b"PAR1":
            raise DataError(f"{path} is a Parquet file; give ids as text, one a line")
        if _suffix(path) in _JSON:
            raise DataError(f"{path} is a file of JSON; give ids as text, one a line")
        text = io.TextIOWrapper(io.BufferedReader(as_stream(source)), encoding="utf-8", newline="")
        ids = _without_header(_first_fields(text, path), known, role)
        yield from _not_empty(ids, path, role)


def in_blocks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the ids in lists of at most `size`.

    >>> list(in_blocks(["a", "b", "c"], 2))
    [['a', 'b'], ['c']]
    """
    rest = iter(ids)
    while block := list(islice(rest, size)):
        yield block


def _first_fields(text: io.TextIOBase, path: Path) -> Iterator[str]:
    delimiter = _DELIMITERS.get(_suffix(path))
    try:
        if delimiter is None:
            fields: Iterable[str] = (line.strip() for line in text)
        else:
            fields = (row[0].strip() for row in csv.reader(text, delimiter=delimiter) if row)
        yield from (field for field in fields if field)
    except UnicodeDecodeError as error:
        raise DataError(f"{path} is no UTF-8 text ({error.reason}); save it as UTF-8, one id a line") from error


def _without_header(ids: Iterator[str], known: Vocabulary, role: str) -> Iterator[str]:
    from nestrec.data.readers.columns import USUAL_NAMES, plain_name

    first = next(ids, None)
    if first is not None:
        name = re.sub(r"[\W_]+", "", plain_name(first)).lower()
        if name not in USUAL_NAMES[role] or known.index_of([first])[0] >= 0:
            yield first
    yield from ids


def _not_empty(ids: Iterator[str], path: Path, role: str) -> Iterator[str]:
    first = next(ids, None)
    if first is None:
        raise DataError(f"{path} holds no {role} ids; write one a line")
    yield first
    yield from ids


def _suffix(path: Path) -> str:
    bare = path.with_suffix("") if path.suffix.lower() in _PACKED else path
    return bare.suffix.lower()

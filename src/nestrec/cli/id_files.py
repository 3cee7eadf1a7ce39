"""Files of ids: one id per line, a column of CSV or TSV, JSON lines, or Parquet."""

from __future__ import annotations

import io
import json
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from nestrec.errors import DataError

if TYPE_CHECKING:
    from nestrec.data.readers.byte_source import ByteSource
    from nestrec.data.vocabulary import Vocabulary

_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON = (".json", ".jsonl", ".ndjson")
_LONGEST_ROW = 1 << 20  # characters
_LONGEST_FIELD = 100  # lines that a field in quotes may go over
_SAMPLE = 1000  # rows that are compared with the ids of a model
_QUOTED = re.compile(r' *"((?:[^"]|"")*)" *')


class IdColumn(NamedTuple):
    """Which column of delimited text ids are read from."""

    first_row: Sequence[str]  # its fields
    place: int  # from 0
    is_named: bool  # by a usual name in the first row
    is_id: bool  # whether the first row holds an id of the model there


def read_ids(
    path: Path,
    known: Vocabulary,
    role: str,
    *,
    owners: Vocabulary | None = None,
    may_be_empty: bool = False,
    on_column: Callable[[IdColumn], None] | None = None,
) -> Iterator[str]:
    """Yield the ids of a file, or of standard input (`-`), in order; `role` is user or item.

    A .csv or .tsv gives the column with a usual name for users or items, or else its first one; Parquet and JSON lines
    likewise; any other file its lines. Blanks around an id belong to it only where it stands in quotes. A first line
    that is a usual name, and no id of the model, is a header; so is one that names both users and items. Raises
    DataError where the file cannot be read, where it has no ids unless it `may_be_empty`, where a header names the
    other side alone, and where rows without a header are, or may be, pairs of one of the `owners` and an id.
    `on_column` is called with the column of delimited text that is read.
    """
    from nestrec.data.readers.byte_source import ByteSource
    from nestrec.data.readers.location import locate

    with closing(ByteSource(locate(path))) as source:
        ids = _ids_of(source, known, role, owners, on_column)
        yield from ids if may_be_empty else _not_empty(ids, source.path, role)


def split_blocks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    """Yield the ids in lists of at most `size`.

    >>> list(split_blocks(["a", "b", "c"], 2))
    [['a', 'b'], ['c']]
    """
    rest = iter(ids)
    while block := list(islice(rest, size)):
        yield block


def are_pairs(rows: Sequence[Sequence[str]], owners: Vocabulary, ids: Vocabulary, name: str) -> bool:
    """Tell whether rows without a header are pairs, most of them of an id of each vocabulary, rather than single ids.

    Raises DataError where they could be both, since the first column holds ids of both vocabularies.
    """
    first, second = ([row[place] for row in rows if len(row) > place] for place in (0, 1))
    if not (_are_mostly(first, owners) and len(second) == len(first) and _are_mostly(second, ids)):
        return False
    if _are_mostly(first, ids):
        raise DataError(
            f"{name} has no header, and its rows, such as {','.join(rows[0])}, can be pairs as well as single ids; "
            "write a first line that names the columns, such as user_id,item_id or item_id"
        )
    return True


def _are_mostly(values: Sequence[str], ids: Vocabulary) -> bool:
    """Tell whether more than half of the values are ids of a vocabulary."""
    return bool(values) and 2 * int((ids.index_of(values, unknown="mark") >= 0).sum()) > len(values)


def _ids_of(
    source: ByteSource,
    known: Vocabulary,
    role: str,
    owners: Vocabulary | None,
    on_column: Callable[[IdColumn], None] | None,
) -> Iterator[str]:
    from nestrec.data.readers.parquet import read_parquet_ids

    if source.format is not None and source.format.name == "parquet":
        return read_parquet_ids(source, role)
    if source.format is not None:
        raise DataError(f"{source.path} is a file of {source.format.name}; give ids as text, one a line, or as Parquet")
    suffix = source.data_path.suffix.lower()
    if suffix in _JSON:
        return _json_ids(_lines(source), source.path, role)
    rows = _rows(_lines(source), _DELIMITERS.get(suffix), known)
    return _column(rows, known, role, owners, source.path, on_column)


def _lines(source: ByteSource) -> Iterator[str]:
    """Yield lines with their ends; a line has a limit, so that no file can fill the memory."""
    text = io.TextIOWrapper(io.BufferedReader(source), encoding="utf-8", newline="")
    try:
        while line := text.readline(_LONGEST_ROW + 1):
            if len(line) > _LONGEST_ROW:
                raise DataError(f"{source.path} has a line of more than 1 MiB; give ids, one a line")
            yield line
    except UnicodeDecodeError as error:
        raise DataError(
            f"{source.path} must be UTF-8 text ({error.reason}); save it as UTF-8, one id per line"
        ) from error


def _rows(lines: Iterator[str], delimiter: str | None, known: Vocabulary) -> Iterator[list[str]]:
    """Yield the fields of each row that holds any; without a delimiter, a line is one field."""
    waiting: deque[str] = deque()
    while (line := waiting.popleft() if waiting else next(lines, "")) != "":
        row = line
        ahead: list[str] = []
        while _is_open(row, delimiter) and len(ahead) < _LONGEST_FIELD and len(row) <= _LONGEST_ROW:
            further = waiting.popleft() if waiting else next(lines, "")
            if not further:
                break
            ahead.append(further)
            row += further
        if _is_open(row, delimiter):  # a quote that is never closed is a character of its line
            row = line
            waiting.extendleft(reversed(ahead))
        fields = split_fields(row.rstrip("\r\n"), delimiter)
        if delimiter is None and fields[0] != row.strip() and known.index_of([row.strip()], unknown="mark")[0] >= 0:
            fields = [row.strip()]  # an id that has the quotes itself
        if any(fields):
            yield fields


def _is_open(row: str, delimiter: str | None) -> bool:
    """Return whether the row ends inside a quoted field."""
    if row.count('"') % 2 == 0:
        return False
    return any(field.lstrip(" ").startswith('"') for field in (row.split(delimiter) if delimiter else [row]))


def split_fields(row: str, delimiter: str | None) -> list[str]:
    """Return the fields of a row; blanks around a field belong to it only inside quotes."""
    fields, place = [], 0
    while True:
        match = _QUOTED.match(row, place)
        end = match.end() if match else place
        if match and (end == len(row) or (delimiter and row.startswith(delimiter, end))):
            fields.append(match[1].replace('""', '"'))
        else:
            end = row.find(delimiter, place) if delimiter else len(row)
            end = len(row) if end < 0 else end
            fields.append(row[place:end].strip())
        if end == len(row) or delimiter is None:
            return fields
        place = end + len(delimiter)


def _column(
    rows: Iterator[list[str]],
    known: Vocabulary,
    role: str,
    owners: Vocabulary | None,
    path: str,
    on_column: Callable[[IdColumn], None] | None,
) -> Iterator[str]:
    """Yield the ids of the column of users or items, past a header."""
    first = next(rows, None)
    if first is None:
        return
    place = next((place for place, name in enumerate(first) if is_usual(name, role)), None)
    names_both = all(any(is_usual(name, each) for name in first) for each in ("user", "item"))
    if names_both and role == "item":
        raise _refuse_pairs(path, first)
    if place is None and owners is not None:
        sample = [first, *islice(rows, _SAMPLE)]
        if are_pairs(sample, owners, known, path):
            raise _refuse_pairs(path, first)
        rows = chain(sample[1:], rows)
    is_known = bool(known.index_of([first[place or 0]], unknown="mark")[0] >= 0)
    if place is None and not is_known:
        refuse_other_side(first, role, path)
    is_id = is_known and not (place is not None and names_both)
    if on_column is not None:
        on_column(IdColumn(first, 0 if place is None or is_id else place, place is not None and not is_id, is_id))
    if place is None or is_id:
        place = 0
        yield from filter(None, first[:1])
    yield from (fields[place] for fields in rows if len(fields) > place and fields[place])


def refuse_other_side(names: Sequence[str], role: str, path: str) -> None:
    """Raise DataError where a header that names no users names items, and the reverse."""
    other = "item" if role == "user" else "user"
    name = next((name for name in names if is_usual(name, other)), None)
    if name is not None:
        raise DataError(
            f"{path} must be a file of {role} ids, got the column {name}, which usually holds {other}s; give a file of "
            f"{role}s, or name the column {role}_id"
        )


def _refuse_pairs(path: str, first: list[str]) -> DataError:
    return DataError(
        f"{path}: item ids must not be given as pairs of users and items here, got {','.join(first)}; give one column "
        "of item ids, or, for lists of single users, a file of pairs with a header to nestrec recommend"
    )


def is_usual(name: str, role: str) -> bool:
    """Tell whether a column of this name usually holds users, or items."""
    from nestrec.data.readers.columns import USUAL_NAMES, normalize_name

    return re.sub(r"[\W_]+", "", normalize_name(name)).lower() in USUAL_NAMES[role]


def _json_ids(lines: Iterator[str], name: str, role: str) -> Iterator[str]:
    """Yield the ids of lines that are each an id, or an object with a usual name for users or items."""
    for line in lines:
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise DataError(f"{name} has a line that is not JSON; write one id, or one object, per line") from error
        if isinstance(value, dict):
            value = _value_of(value, name, role)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise DataError(f"{name} has a line without a {role} id; write one id, or one object, per line")
        if value != "":
            yield str(value)


def _value_of(record: dict[str, Any], name: str, role: str) -> Any:
    key = next((key for key in record if is_usual(key, role)), None)
    if key is None:
        raise DataError(f"{name} has no key of {role}s among {', '.join(map(repr, record))}; name it {role}_id")
    return record[key]


def _not_empty(ids: Iterator[str], name: str, role: str) -> Iterator[str]:
    first = next(ids, None)
    if first is None:
        raise DataError(f"{name} holds no {role} ids; write one a line")
    yield first
    yield from ids

"""Read Python objects by their interfaces: tables, columns, rows, sparse matrices. No library of theirs is imported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, islice
from typing import Any

import numpy as np

from nestrec.data.formats import COLUMN_OPTIONS, SEQUENCE_OPTIONS, TEXT_OPTIONS
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.arrays import ArraysReader
from nestrec.data.readers.arrow_files import ArrowStream
from nestrec.data.readers.batch import Reader
from nestrec.data.readers.rows import RowsReader, Values
from nestrec.data.readers.source_columns import SourceColumns
from nestrec.data.readers.sparse import SparseReader
from nestrec.data.readers.tables import TableReader
from nestrec.data.rejections import RAGGED
from nestrec.errors import DataError

EXCLUDED_OPTIONS: dict[str, tuple[str, ...]] = {  # kind of object -> fields of ReadOptions that do not apply
    "sparse": (
        *COLUMN_OPTIONS,
        *TEXT_OPTIONS,
        *SEQUENCE_OPTIONS,
        "format",
        "keep_timestamps",
        "time_format",
        "half_life",
    ),
    "table": (*TEXT_OPTIONS, "format"),
    "arrays": (*TEXT_OPTIONS, *SEQUENCE_OPTIONS, "format"),
    "rows": (*TEXT_OPTIONS, *SEQUENCE_OPTIONS, "format"),
}
_USUAL_ROW = ("user", "item", "rating", "timestamp")
_ROWS: Any = (tuple, list, np.ndarray, np.void)
_LOOKED_AT = 100  # dictionaries whose keys are the columns
_WAYS = (
    "give a path or a list of paths, a table (pandas, polars, pyarrow, duckdb), a dictionary of columns, rows "
    "(user, item, ...) or a scipy sparse matrix"
)


def classify_source(source: object) -> str:
    """Return the format under which a Python object is read: sparse, table, arrays or rows.

    Raises DataError for an object that is none of them.
    """
    if _is_from(source, "torch"):
        return "sparse"
    if hasattr(source, "tocoo"):
        return "sparse"
    if hasattr(source, "iloc") or hasattr(source, "__arrow_c_stream__"):
        return "table"
    if isinstance(source, Mapping) or (isinstance(source, np.ndarray) and source.dtype.names):
        return "arrays"
    if isinstance(source, np.ndarray):
        raise DataError(_explain_array(source))
    if isinstance(source, Iterable) and not isinstance(source, (str, bytes, bytearray, memoryview)):
        return "rows"
    if hasattr(source, "collect"):
        raise DataError(f"{describe_source(source)} has not been computed yet; call its collect() first")
    raise DataError(f"interactions cannot be read from {describe_source(source)}; {_WAYS}", option="interactions")


def describe_source(source: object) -> str:
    """Return the name of a Python object in messages."""
    return f"{type(source).__module__.partition('.')[0]} {type(source).__name__}"


def open_object(source: Any, kind: str, options: ReadOptions) -> Reader:
    """Return the reader of an object of this kind.

    Raises DataError where it cannot be read or lacks the columns.
    """
    name = describe_source(source)
    if kind == "sparse":
        return SparseReader(_convert_from_torch(source) if _is_from(source, "torch") else source)
    if kind == "arrays":
        columns = source if isinstance(source, Mapping) else {key: source[key] for key in source.dtype.names}
        return ArraysReader(columns, name, options)
    if kind == "rows":
        return _open_rows(source, name, options)
    if hasattr(source, "iloc"):
        return _open_frame(source, name, options)
    return TableReader(ArrowStream(_cast_int128(source), name), options)


def _cast_int128(table: Any) -> Any:
    """Return a polars DataFrame whose integers of 128 bits, which duckdb does not take from it, are text."""
    if not hasattr(table, "with_columns") or not hasattr(table, "get_column"):
        return table
    wide = [name for name in table.columns if str(table.get_column(name).dtype) in ("Int128", "UInt128")]
    return table.with_columns([table.get_column(name).cast(str) for name in wide]) if wide else table


def _open_frame(frame: Any, name: str, options: ReadOptions) -> Reader:
    """Open a pandas DataFrame, as arrays where pandas cannot give it as Arrow."""
    frame = _reset_index(frame, name)
    names = [str(column) for column in frame.columns]
    stream = ArrowStream(frame, name)
    try:
        return TableReader(stream, options)
    except DataError:
        if not stream.failed:
            raise
    # Text and numbers in one column, a name twice, or no pyarrow.
    keys = [
        column if column not in names[:place] else f"{column} (column {place + 1})"
        for place, column in enumerate(names)
    ]
    reader = ArraysReader({key: frame.iloc[:, place] for place, key in enumerate(keys)}, name, options)
    for column in dict.fromkeys(reader.columns.values()):
        if names.count(column) > 1:
            reader.notes.append(
                f"{names.count(column)} columns are named {column!r}; the first one is used unless a position is given"
            )
    return reader


def _reset_index(frame: Any, name: str) -> Any:
    """Return a DataFrame in which named levels of the index are columns."""
    if not hasattr(frame, "columns"):
        if frame.index.nlevels < 2:
            raise DataError(f"{name} holds one column; give a DataFrame with columns of users and items")
        return frame.reset_index()
    if any(level is not None and level not in frame.columns for level in frame.index.names):
        try:
            return frame.reset_index()
        except ValueError:  # a level has the name of a column
            return frame
    return frame


def _open_rows(source: Any, name: str, options: ReadOptions) -> RowsReader:
    """Open tuples, lists or dictionaries, one a row; the first ones tell the columns."""
    rows = iter(source)
    head = list(islice(rows, _LOOKED_AT))
    if not head:
        raise DataError(f"{name} has no rows of interactions; give at least one")
    names = _find_names(head, name)
    columns = SourceColumns(names, options, name)
    selected = list(columns.places.values())
    whole: Iterator[Any] = chain(head, rows)
    chosen: Iterator[Values]
    ragged = [RAGGED] * len(selected)
    if isinstance(head[0], Mapping):
        keys = [names[place] for place in selected]
        chosen = ([row.get(key) for key in keys] if isinstance(row, Mapping) else ragged for row in whole)
    else:
        chosen = ([row[place] for place in selected] if _has_length(row, len(names)) else ragged for row in whole)
    total = len(source) if hasattr(source, "__len__") else None
    return RowsReader(chosen, columns, format_name="rows", total=total)


def _find_names(head: list[Any], name: str) -> list[str]:
    first: Any = head[0]
    if isinstance(first, Mapping):
        keys = dict.fromkeys(key for row in head if isinstance(row, Mapping) for key in row)
        if not all(isinstance(key, str) for key in keys):
            raise DataError(f"{name} holds dictionaries whose keys are not all text; name the columns by text")
        return list(keys)
    if hasattr(first, "_fields"):
        return list(first._fields)
    if isinstance(first, _ROWS):
        n_columns = len(first)
        usual = _USUAL_ROW if 2 <= n_columns <= len(_USUAL_ROW) else ()
        return list(usual[:n_columns]) or [f"column {place}" for place in range(1, n_columns + 1)]
    if hasattr(first, "__arrow_c_stream__") or hasattr(first, "tocoo"):
        raise DataError(f"{name} holds several tables; join them to one first, as with pandas.concat or polars.concat")
    raise DataError(f"{name} holds values of type {type(first).__name__}; {_WAYS}")


def _has_length(row: Any, length: int) -> bool:
    return isinstance(row, _ROWS) and len(row) == length


def _convert_from_torch(tensor: Any) -> Any:
    """Return a sparse tensor of torch as a scipy matrix, stored entries as they are."""
    from scipy.sparse import coo_array

    if "sparse" not in str(getattr(tensor, "layout", "")):
        raise DataError(
            f"{describe_source(tensor)} is dense; give a sparse one (tensor.to_sparse()) for a matrix of users by "
            "items, or {'user': ..., 'item': ...} for columns"
        )
    entries = tensor.detach().to_sparse_coo().cpu()
    rows_and_columns, values = entries._indices().numpy(), entries._values().numpy()  # noqa: SLF001 - others sum repeats
    if values.ndim != 1 or len(rows_and_columns) != 2:
        raise DataError(f"{describe_source(tensor)} has not two sparse dimensions; give a matrix of users by items")
    return coo_array((values, tuple(rows_and_columns)), shape=tuple(entries.shape))


def _explain_array(array: np.ndarray[Any, Any]) -> str:
    shape = f"numpy ndarray of shape {array.shape}"
    if array.ndim != 2:
        return f"a {shape} does not hold interactions; {_WAYS}"
    return (
        f"a {shape} does not tell whether it holds pairs or a matrix of users by items; give "
        "{'user': array[:, 0], 'item': array[:, 1]} for pairs, or scipy.sparse.csr_array(array) for a matrix"
    )


def _is_from(source: object, library: str) -> bool:
    return any(cls.__module__.partition(".")[0] == library for cls in type(source).__mro__[:-1])

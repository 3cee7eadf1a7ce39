"""Results as tables of other libraries, through one Arrow stream that is made of NumPy columns without pyarrow.

A result names its columns; `Tabular` gives it `to_arrow`, `to_pandas`, `to_polars` and the Arrow PyCapsule interface
(https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html), which duckdb, polars and others read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nestrec.extras import require
from nestrec.notebook_html import format_table, format_value

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

Values = npt.NDArray[Any] | Sequence[Any]  # one a row; None in a list is null; (n, width) float32 is a list a row

_SHOWN = 20  # rows in a notebook
_NUMBERS = 6  # of a vector in a notebook
_LARGEST_OFFSET = 2**31 - 1  # bytes of text that int32 offsets reach


class Tabular:
    """A result that converts to tables of pyarrow, pandas and polars."""

    def as_columns(self) -> Mapping[str, Values]:
        """Return the columns of the table by name, as arrays or lists of equal length."""
        raise NotImplementedError

    def to_arrow(self) -> pa.Table:
        """Return the result as a pyarrow Table; raise MissingExtraError without pyarrow."""
        arrow = require("pyarrow", "arrow", "to_arrow")
        table: pa.Table = arrow.table(self)
        return table

    def to_pandas(self) -> pd.DataFrame:
        """Return the result as a pandas DataFrame; raise MissingExtraError without pandas or pyarrow."""
        require("pandas", "pandas", "to_pandas")
        frame: pd.DataFrame = require("pyarrow", "pandas", "to_pandas").table(self).to_pandas()
        return frame

    def to_polars(self) -> pl.DataFrame:
        """Return the result as a polars DataFrame; raise MissingExtraError without polars."""
        frame: pl.DataFrame = require("polars", "polars", "to_polars").DataFrame(self)
        return frame

    def _repr_html_(self) -> str:
        """Show the first rows in a notebook."""
        columns = self.as_columns()
        shown = [_format_start(values) for values in columns.values()]
        n_rows = len(next(iter(columns.values()), ()))
        left = [place for place, values in enumerate(shown) if any(isinstance(value, str) for value in values)]
        more = f"{n_rows - _SHOWN:,} more rows; to_pandas() has all" if n_rows > _SHOWN else ""
        rows = list(zip(*shown, strict=True))
        return format_table(list(columns), rows, caption=repr(self).strip("<>"), note=more, left=left)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """Return the columns as an Arrow C stream of one batch, in a PyCapsule."""
        return _make_stream(self.as_columns()).__arrow_c_stream__(requested_schema)


def _format_start(values: Values) -> list[object]:
    """Return the first rows of a column as plain values; of long vectors the first numbers."""
    start = values[:_SHOWN]
    if not isinstance(start, np.ndarray):
        return list(start)
    if start.ndim == 2 and start.shape[1] > _NUMBERS:
        return [f"{format_value(row)}, …" for row in start[:, :_NUMBERS].tolist()]
    plain: list[object] = start.tolist()
    return plain


def _make_stream(columns: Mapping[str, Values]) -> Any:
    import nanoarrow as na
    from nanoarrow.c_array_stream import CArrayStream

    arrays = {name: _make_array(values) for name, values in columns.items()}
    n_rows = {array.length for array in arrays.values()}
    assert len(n_rows) == 1, f"columns of one table have {sorted(n_rows)} rows"
    schema = na.c_schema(na.struct({name: array.schema for name, array in arrays.items()}))
    batch = na.c_array_from_buffers(schema, n_rows.pop(), [None], 0, children=list(arrays.values()))
    return CArrayStream.from_c_arrays([batch], schema)


def _make_array(values: Values) -> Any:
    """Return one column as an Arrow array; numbers of NumPy arrays are not copied."""
    if not isinstance(values, np.ndarray):
        return _make_nullable(values)
    if values.ndim == 2:
        return _make_lists(values)
    return _make_plain(values, None)


def _make_nullable(values: Sequence[Any]) -> Any:
    """Return a list of one type with None for nulls; values of several types become text."""
    present = np.array([value is not None for value in values], dtype=np.bool_)
    found = {type(value) for value in values if value is not None}
    if found <= {bool}:
        array = np.array([bool(value) for value in values], dtype=np.bool_)
    elif found <= {int}:
        array = np.array([value or 0 for value in values], dtype=np.int64)
    elif found <= {int, float}:
        array = np.array([0.0 if value is None else value for value in values], dtype=np.float64)
    else:
        array = np.array(["" if value is None else str(value) for value in values], dtype=np.dtypes.StringDType())
    return _make_plain(array, None if present.all() else np.packbits(present, bitorder="little"))


def _make_plain(array: npt.NDArray[Any], validity: npt.NDArray[np.uint8] | None) -> Any:
    import nanoarrow as na

    n_nulls = 0 if validity is None else -1  # -1: counted from the bitmap
    if array.dtype.kind == "T":
        kind, offsets, text = _encode_text(array.tolist())
        return na.c_array_from_buffers(kind, len(array), [validity, offsets, text], n_nulls)
    if array.dtype.kind == "b":
        bits = np.packbits(array, bitorder="little")
        return na.c_array_from_buffers(na.bool_(), len(array), [validity, bits], n_nulls)
    kind = getattr(na, array.dtype.name)()
    return na.c_array_from_buffers(kind, len(array), [validity, np.ascontiguousarray(array)], n_nulls)


def _make_lists(matrix: npt.NDArray[np.float32]) -> Any:
    import nanoarrow as na

    n_rows, width = matrix.shape
    numbers = _make_plain(np.ascontiguousarray(matrix).reshape(-1), None)
    kind = na.fixed_size_list(numbers.schema, width)
    return na.c_array_from_buffers(kind, n_rows, [None], 0, children=[numbers])


def _encode_text(texts: list[str]) -> tuple[Any, npt.NDArray[np.integer], bytes]:
    """Return the Arrow type of text, where each text begins and ends, and its UTF-8 bytes."""
    import nanoarrow as na

    encoded = [text.encode() for text in texts]
    offsets = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(text) for text in encoded], out=offsets[1:])
    if offsets[-1] > _LARGEST_OFFSET:
        return na.large_string(), offsets, b"".join(encoded)
    return na.string(), offsets.astype(np.int32), b"".join(encoded)

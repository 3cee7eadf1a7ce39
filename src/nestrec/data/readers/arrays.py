"""A mapping of column names to arrays or lists of equal length, such as `{"user": users, "item": items}`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import TEXT, canonicalize_ids
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.python_values import MISSING, parse_id
from nestrec.data.readers.source_columns import UNUSED, SourceColumns
from nestrec.data.rejections import NO_ITEM, NO_USER, Reason, RejectionLog
from nestrec.errors import DataError

_AT_ONCE = 1 << 18


class ArraysReader:
    """Ids of any type that `canonicalize_ids` takes; ratings and times of any type that `SourceColumns` parses."""

    format = "arrays"

    def __init__(self, columns: Mapping[str, npt.ArrayLike], name: str, options: ReadOptions) -> None:
        names = [str(key) for key in columns]
        self._columns = SourceColumns(names, options, name)
        self.columns, places = self._columns.used, self._columns.places
        given = list(columns.values())
        self._values = {role: _convert_column(given[place], role, names[place], name) for role, place in places.items()}
        self._size, self._done = len(self._values["user"]), 0
        self.notes: list[str] = []
        for role, column in self._values.items():
            if len(column) != self._size:
                raise DataError(
                    f"{name}: column {names[places[role]]!r} has {len(column):,} values and {self.columns['user']!r} "
                    f"has {self._size:,}; give columns of equal length"
                )

    def close(self) -> None:
        """Let go of the columns."""
        self._values = {}

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are."""
        return self._done, self._size

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the rows whose numbers are finite."""
        while self._done < self._size:
            part = {role: column[self._done : self._done + _AT_ONCE] for role, column in self._values.items()}
            fine = np.ones(len(part["user"]), dtype=np.bool_)
            for role, reason in (("user", NO_USER), ("item", NO_ITEM)):
                if part[role].dtype.kind == "T":
                    missing = fine & (part[role] == "")
                    rejections.reject_rows(reason, missing, self._format_place, lambda _: "")
                    fine &= ~missing
            for role in self._columns.roles:
                raw, part[role] = part[role], self._parse(role, part[role])
                bad = fine & ~np.isfinite(part[role])
                reason = self._columns.reasons[role]
                rejections.reject_rows(reason, bad, self._format_place, raw.__getitem__)
                fine &= ~bad
            if self._columns.unused is not None:
                self._see_unused(part[UNUSED])
            self._done += len(fine)
            kept = {role: column[fine] for role, column in part.items()}
            users, items = _build_id_column(kept["user"]), _build_id_column(kept["item"])
            yield Batch(users, items, kept.get("rating"), kept.get("timestamp"), kept.get("weight"), len(fine))
        self.notes += self._columns.notes()

    def _format_place(self, row: int) -> str:
        return f"row {self._done + row + 1}"

    def _parse(self, role: str, values: npt.NDArray[Any]) -> Float64Array:
        """Return numbers or seconds, NaN where there is none; (n,)."""
        place, kind = self._format_place, values.dtype.kind
        if kind == "M" and role == "timestamp":
            return self._columns.times.parse_moments(values)
        if kind in "iuf" or (kind == "b" and role != "timestamp"):
            numbers = values.astype(np.float64)
            return self._columns.times.parse_numbers(numbers, place) if role == "timestamp" else numbers
        return self._columns.parse_objects(role, _decode(values), place)

    def _see_unused(self, values: npt.NDArray[Any]) -> None:
        if self._columns.unused is None:
            return
        if values.dtype.kind in "biuf":
            self._columns.unused.see(values.astype(np.float64))
        else:
            self._columns.unused.see_objects(values.tolist())


def _convert_column(values: npt.ArrayLike, role: str, column: str, name: str) -> npt.NDArray[Any]:
    if role in ("user", "item"):
        return _convert_ids(values, f"{name}: column {column!r}")
    if role == "timestamp" and getattr(getattr(values, "dtype", None), "tz", None) is not None:
        in_utc: npt.NDArray[Any] = cast("Any", values).to_numpy(dtype="M8[ns]")  # pandas' times with a zone
        return in_utc.ravel()
    try:
        return (np.asarray(values) if hasattr(values, "__array__") else _wrap_objects(values)).ravel()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: column {column!r} holds values that are no numbers; give numbers") from error


def _convert_ids(values: npt.ArrayLike, where: str) -> npt.NDArray[Any]:
    """Return ids as numbers or text, "" where one is missing."""
    try:
        return canonicalize_ids(values).ravel()
    except DataError as error:
        array = np.asarray(values) if hasattr(values, "__array__") else _wrap_objects(values)
        if array.dtype.kind not in "Of":
            raise DataError(f"{where}: {error}") from error
        found = [parse_id(value) for value in array.ravel().tolist()]
        if any(isinstance(value, Reason) and value is not MISSING for value in found):
            raise DataError(f"{where}: {error}") from error
        texts: npt.NDArray[Any] = np.array(
            ["" if isinstance(value, Reason) else str(value) for value in found], dtype=TEXT
        )
        return texts


def _wrap_objects(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return a list as an array of its own Python values: numpy would write numbers between texts as text."""
    items: list[object] = list(cast("Iterable[object]", values))
    result = np.empty(len(items), dtype=object)
    result[:] = items
    return result


def _decode(values: npt.NDArray[Any]) -> list[object]:
    """Return Python values, bytes as the text they are."""
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values.tolist()]


def _build_id_column(ids: npt.NDArray[Any]) -> IdColumn:
    return ids if ids.dtype == np.int64 else TextIds.from_strings(ids.tolist())

"""A mapping of column names to arrays or lists of equal length, such as `{"user": users, "item": items}`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.ids import canonical_ids
from nestrec.data.ledger import BAD_RATING, BAD_TIME, Ledger
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch
from nestrec.data.readers.columns import find_columns
from nestrec.errors import DataError

_AT_ONCE = 1 << 18
_REASONS = {"rating": BAD_RATING, "timestamp": BAD_TIME}


class ArraysReader:
    """Ids of any type that `canonical_ids` takes; ratings and times as numbers."""

    format = "arrays"

    def __init__(self, columns: Mapping[str, npt.ArrayLike], name: str, options: ReadOptions) -> None:
        names = [str(key) for key in columns]
        roles = find_columns(names, options, name).roles()
        self.columns = {role: names[place] for role, place in roles.items()}
        values = list(columns.values())
        self._values = {role: _column(values[place], role, names[place], name) for role, place in roles.items()}
        self._size, self._done = len(self._values["user"]), 0
        self.notes: list[str] = []
        for role, column in self._values.items():
            if len(column) != self._size:
                raise DataError(
                    f"{name}: column {self.columns[role]!r} has {len(column):,} values and {self.columns['user']!r} "
                    f"has {self._size:,}; give columns of equal length"
                )

    def close(self) -> None:
        """Let go of the columns."""
        self._values = {}

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are."""
        return self._done, self._size

    def batches(self, ledger: Ledger) -> Iterator[Batch]:
        """Yield the rows whose numbers are finite."""
        for start in range(0, self._size, _AT_ONCE):
            part = {role: column[start : start + _AT_ONCE] for role, column in self._values.items()}
            fine = np.ones(len(part["user"]), dtype=np.bool_)
            for role, reason in _REASONS.items():
                if role in part:
                    bad = np.flatnonzero(fine & ~np.isfinite(part[role])).tolist()
                    first = ((f"row {start + row + 1}", str(part[role][row])) for row in bad)
                    ledger.reject(reason, len(bad), first)
                    fine &= np.isfinite(part[role])
            self._done = start + len(fine)
            kept = {role: column[fine] for role, column in part.items()}
            yield Batch(
                _indexable(kept["user"]), _indexable(kept["item"]), kept.get("rating"), kept.get("timestamp"), len(fine)
            )


def _column(values: npt.ArrayLike, role: str, column: str, name: str) -> npt.NDArray[Any]:
    if role not in _REASONS:
        try:
            return canonical_ids(values).ravel()
        except DataError as error:
            raise DataError(f"{name}: column {column!r}: {error}") from error
    try:
        return np.asarray(values, dtype=np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise DataError(f"{name}: column {column!r} holds values that are no numbers; give numbers") from error


def _indexable(ids: npt.NDArray[Any]) -> IdColumn:
    return ids if ids.dtype == np.int64 else TextIds.from_strings(ids.tolist())

"""scipy sparse matrices and arrays: row and column numbers are the ids, stored values the ratings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from nestrec.data.readers.batch import Batch
from nestrec.data.rejections import BAD_RATING, ZERO, RejectionLog
from nestrec.errors import DataError

_AT_ONCE = 1 << 20


class SparseReader:
    """Stored entries of a matrix of users by items, (n_users, n_items) of any format and number type."""

    format = "sparse"

    def __init__(self, matrix: Any) -> None:
        if len(matrix.shape) != 2:
            raise DataError(f"a sparse array must have two dimensions, users by items; got {len(matrix.shape)}")
        if matrix.dtype.kind not in "biuf":
            raise DataError(f"a sparse matrix must hold real numbers or booleans, got {matrix.dtype}")
        self._entries = matrix.tocoo()
        self._done, self._size = 0, len(self._entries.data)
        self.notes: list[str] = []
        self.columns = {"user": "row", "item": "column", "rating": "data"}

    def close(self) -> None:
        """Let go of the matrix."""
        self._entries = None

    def progress(self) -> tuple[int, int | None]:
        """Return entries read, and how many there are."""
        return self._done, self._size

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield entries that are neither zero nor NaN or infinite."""
        for start in range(0, self._size, _AT_ONCE):
            yield self._read(slice(start, start + _AT_ONCE), rejections)

    def _read(self, part: slice, rejections: RejectionLog) -> Batch:
        entries = self._entries
        users, items = entries.row[part].astype(np.int64), entries.col[part].astype(np.int64)
        ratings = entries.data[part].astype(np.float64)
        self._done += len(ratings)
        zero, finite = ratings == 0, np.isfinite(ratings)
        for bad, reason in ((zero, ZERO), (~finite, BAD_RATING)):
            rejections.reject_rows(reason, bad, lambda at: f"row {users[at]}, column {items[at]}", ratings.__getitem__)
        fine = finite & ~zero
        return Batch(users[fine], items[fine], ratings[fine], n_read=len(ratings))

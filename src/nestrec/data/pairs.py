"""Pairs collected while reading and turned into rows at the end; beyond a limit they wait in a temporary file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.kernels import csr as kernel
from nestrec.kernels.slices import ENTRIES, row_slices
from nestrec.kernels.threads import in_threads

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Part = tuple[Int32, Int32, Float64]  # users, items, times; (n,) each, or (0,) times

_NO_TIMES: Float64 = np.empty(0, dtype=np.float64)


class PairStore:
    """(user entry, item entry[, time]) in the order read. Use it in a `with` block: the temporary file goes with it."""

    def __init__(self, memory_bytes: int, *, with_times: bool) -> None:
        self._limit = memory_bytes
        self._with_times = with_times
        self._parts: list[Part] = []
        self._held = 0
        self._spilled: list[int] = []  # pairs in each part of the file
        self._file = tempfile.TemporaryFile(prefix="nestrec-")  # noqa: SIM115 - closed by __exit__
        self.n_pairs = 0

    def __enter__(self) -> PairStore:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove the temporary file."""
        self._file.close()

    def add(self, users: Int32, items: Int32, times: Float64 | None) -> None:
        """Append pairs; (n,) each."""
        part = (users, items, _NO_TIMES if times is None else times)
        self._parts.append(part)
        self.n_pairs += len(users)
        self._held += sum(array.nbytes for array in part)
        if self._held > self._limit:
            self._spill()

    def rows(self, user_ranks: Int32, item_ranks: Int32, threads: int) -> tuple[Int64, Int32, Float64 | None]:
        """Return indptr, indices and times of the matrix, each pair once, with its latest time."""
        # Entries may share a rank, so the matrix may have fewer rows than there are entries.
        counts = np.zeros(int(user_ranks.max(initial=-1)) + 1, dtype=np.int64)
        for users, _, _ in self._all():
            kernel.count_rows(users, user_ranks, counts)
        indptr = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(counts)])
        indices = np.empty(self.n_pairs, dtype=np.int32)
        times = np.empty(self.n_pairs, dtype=np.float64) if self._with_times else _NO_TIMES
        cursor = indptr[:-1].copy()
        for users, items, part_times in self._all():
            kernel.place_pairs(users, items, part_times, user_ranks, item_ranks, cursor, indices, times)
        self._parts.clear()
        _sort(indptr, indices, times, threads)
        n_kept = kernel.drop_repeats(indptr, indices, times)
        _shorten(indices, n_kept)
        _shorten(times, n_kept if self._with_times else 0)
        return indptr, indices, times if self._with_times else None

    def _spill(self) -> None:
        for part in self._parts:
            for array in part:
                self._file.write(array.data)
            self._spilled.append(len(part[0]))
        self._parts.clear()
        self._held = 0

    def _all(self) -> Iterator[Part]:
        self._file.seek(0)
        for size in self._spilled:
            users, items = (np.frombuffer(bytearray(self._file.read(4 * size)), dtype=np.int32) for _ in range(2))
            times = (
                np.frombuffer(bytearray(self._file.read(8 * size)), dtype=np.float64) if self._with_times else _NO_TIMES
            )
            yield users, items, times
        self._file.seek(0, 2)
        yield from self._parts


def _sort(indptr: Int64, indices: Int32, times: Float64, threads: int) -> None:
    """Sort each row, in shares of about equally many pairs."""
    shares = row_slices(indptr, max(1, min(ENTRIES, int(indptr[-1]) // (8 * threads))))
    in_threads(lambda share: kernel.sort_rows(indptr, indices, times, *share), shares, threads)


def _shorten(array: npt.NDArray[Any], size: int) -> None:
    """Give the rest of a large array back, in place: a copy would double the memory for a moment."""
    if len(array) > size:
        array.resize(size, refcheck=False)

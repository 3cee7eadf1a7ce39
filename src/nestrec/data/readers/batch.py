"""The interface of readers: batches of usable rows, and what every reader can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from nestrec.arrays import BoolArray, Float64Array, Int64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.rejections import NUL_IN_ID, RejectionLog


@dataclass(frozen=True)
class Batch:
    """Rows that passed the reader's checks. The arrays may be overwritten when the next batch is read."""

    users: IdColumn  # (n,)
    items: IdColumn  # (n,)
    ratings: Float64Array | None = None  # (n,) finite
    times: Float64Array | None = None  # (n,) finite, seconds
    weights: Float64Array | None = None  # (n,) finite
    n_read: int = 0  # rows read for this batch, rejected ones included
    bare_users: IdColumn | None = None  # users of lines without items
    raw: TextIds | None = None  # (n,) the bytes of each row, of text where `keeps_rows` is set
    numbers: Int64Array | None = None  # (n,) the number of each row, from 1, of Parquet and tables
    lines: Int64Array | None = None  # (n,) number of the line of each row, where there are lines

    def select(self, rows: BoolArray | Int64Array) -> Batch:
        """Return the batch with these of its rows; `n_read` stays."""

        def take(column: Any) -> Any:
            return None if column is None else column[rows]

        return replace(
            self, users=self.users[rows], items=self.items[rows], ratings=take(self.ratings), times=take(self.times),
            weights=take(self.weights), raw=take(self.raw), numbers=take(self.numbers), lines=take(self.lines),
        )  # fmt: skip

    def format_place(self, row: int) -> str:
        """Return where a row stands, for messages."""
        if self.lines is not None:
            return f"line {self.lines[row]}"
        return "a row" if self.numbers is None else f"row {self.numbers[row]}"

    def format_pair(self, row: int) -> str:
        """Return the user and the item of a row, for messages."""
        return " ".join(ids.at(row) if isinstance(ids, TextIds) else str(ids[row]) for ids in (self.users, self.items))


class Reader(Protocol):
    """One source of interactions, opened."""

    format: str
    columns: dict[str, str]  # role -> name of the column used
    notes: list[str]  # for the report, complete after the last batch

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the rows in order; reject those that cannot be used."""
        ...

    def close(self) -> None:
        """Free what the reader holds."""
        ...

    def progress(self) -> tuple[int, int | None]:
        """Return how much has been read and how much there is, in bytes or rows."""
        ...


class FileReader:
    """What readers of a stream of bytes have in common."""

    def __init__(self, source: ByteSource) -> None:
        self._source, self._name = source, source.path
        self.columns: dict[str, str] = {}
        self.notes: list[str] = []

    def close(self) -> None:
        """Close the file."""
        self._source.close()

    def progress(self) -> tuple[int, int | None]:
        """Return bytes of the file read, and its size."""
        return self._source.position, self._source.size


def read_usable_batches(reader: Reader, rejections: RejectionLog) -> Iterator[Batch]:
    """Yield the batches of a reader without the rows whose ids hold a NUL byte."""
    for batch in reader.batches(rejections):
        yield drop_nul_ids(batch, rejections)


def drop_nul_ids(batch: Batch, rejections: RejectionLog) -> Batch:
    """Return the batch without rows whose user or item holds a NUL byte, which are rejected.

    numpy before 2.5 compares text up to the first NUL, so two such ids could not be distinguished.
    """
    bad_users, bad_items = _find_nul(batch.users), _find_nul(batch.items)
    if batch.bare_users is not None and (bad_bare := _find_nul(batch.bare_users)) is not None:
        batch = replace(batch, bare_users=batch.bare_users[~bad_bare])
    if bad_users is None and bad_items is None:
        return batch
    none = np.zeros(len(batch.users), dtype=np.bool_)
    bad = (none if bad_users is None else bad_users) | (none if bad_items is None else bad_items)
    rejections.reject_rows(NUL_IN_ID, bad, batch.format_place, batch.format_pair)
    return batch.select(~bad)


def _find_nul(ids: IdColumn) -> BoolArray | None:
    """Return which ids hold a NUL byte, or None where there is none in the bytes around them."""
    if not isinstance(ids, TextIds) or not len(ids):
        return None
    first = int(ids.starts.min())
    used = ids.buffer[first : int(ids.ends.max())]
    if used.min(initial=1) > 0:
        return None
    nul = used == 0
    before = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(nul, dtype=np.int64)])
    found: BoolArray = before[ids.ends - first] > before[ids.starts - first]
    return found

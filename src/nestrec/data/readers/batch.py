"""What a reader hands on: a share of the rows, all of them usable, and the little that every reader can do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from nestrec.arrays import Float64Array, Int64Array
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.rejections import RejectionLog


@dataclass(frozen=True)
class Batch:
    """Rows that passed the reader's checks. The arrays may be overwritten when the next batch is asked for."""

    users: IdColumn  # (n,)
    items: IdColumn  # (n,)
    ratings: Float64Array | None = None  # (n,) finite
    times: Float64Array | None = None  # (n,) finite, seconds
    n_read: int = 0  # rows met for this batch, rejected ones included
    bare_users: IdColumn | None = None  # users of lines without items
    raw: TextIds | None = None  # (n,) the bytes of each row, of text where `keeps_rows` asks for them
    numbers: Int64Array | None = None  # (n,) the number of each row, from 1, of Parquet and tables
    lines: Int64Array | None = None  # (n,) number of the line of each row, where there are lines


class Reader(Protocol):
    """One source of interactions, opened."""

    format: str
    columns: dict[str, str]  # role -> name of the column used
    notes: list[str]  # for the report, complete after the last batch

    def batches(self, ledger: RejectionLog) -> Iterator[Batch]:
        """Yield the rows in order; enter those that cannot be used."""
        ...

    def close(self) -> None:
        """Free what the reader holds."""
        ...

    def progress(self) -> tuple[int, int | None]:
        """Return how much has been read and how much there is, in bytes or rows."""
        ...

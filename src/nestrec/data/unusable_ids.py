"""Ids that no vocabulary can hold, left out in one place for every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from nestrec.arrays import BoolArray
from nestrec.data.id_index import IdColumn, TextIds
from nestrec.data.readers.batch import Batch, Reader
from nestrec.data.rejections import NUL_IN_ID, RejectionLog


def usable_batches(reader: Reader, ledger: RejectionLog) -> Iterator[Batch]:
    """Yield the batches of a reader without the rows whose ids hold a NUL byte."""
    for batch in reader.batches(ledger):
        yield drop_nul_ids(batch, ledger)


def drop_nul_ids(batch: Batch, ledger: RejectionLog) -> Batch:
    """Return the batch without rows whose user or item holds a NUL byte, which are counted.

    numpy before 2.5 compares text up to the first NUL, so two such ids could not be told apart.
    """
    bad_users, bad_items = _with_nul(batch.users), _with_nul(batch.items)
    if batch.bare_users is not None and (bad_bare := _with_nul(batch.bare_users)) is not None:
        batch = replace(batch, bare_users=batch.bare_users[~bad_bare])
    if bad_users is None and bad_items is None:
        return batch
    none = np.zeros(len(batch.users), dtype=np.bool_)
    bad = (none if bad_users is None else bad_users) | (none if bad_items is None else bad_items)
    rows = np.flatnonzero(bad).tolist()
    ledger.reject(NUL_IN_ID, len(rows), (_shown(batch, row) for row in rows))
    fine = ~bad
    return replace(
        batch,
        users=batch.users[fine],
        items=batch.items[fine],
        ratings=None if batch.ratings is None else batch.ratings[fine],
        times=None if batch.times is None else batch.times[fine],
        raw=None if batch.raw is None else batch.raw[fine],
        numbers=None if batch.numbers is None else batch.numbers[fine],
        lines=None if batch.lines is None else batch.lines[fine],
    )


def _with_nul(ids: IdColumn) -> BoolArray | None:
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


def _shown(batch: Batch, row: int) -> tuple[str, str]:
    users, items = batch.users, batch.items
    pair = " ".join(ids.at(row) if isinstance(ids, TextIds) else str(ids[row]) for ids in (users, items))
    return ("a row" if batch.lines is None else f"line {batch.lines[row]}"), pair

"""Which rows of a store an export writes and deletes: new, changed, gone and unchanged ones."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Int64Array
from nestrec.data.ids import TEXT, IdArray
from nestrec.data.vocabulary import Vocabulary
from nestrec.export.exporters import Side
from nestrec.field_docs import show_field_docs
from nestrec.stores.store import StoredRows


@show_field_docs
@dataclass(frozen=True)
class WriteCounts:
    """Rows of one side."""

    side: Side
    """items or users."""
    n_new: int
    """Rows that the store lacked."""
    n_changed: int
    """Rows whose vector or columns changed."""
    n_gone: int
    """Rows that were deleted, because the model has them no more."""
    n_unchanged: int
    """Rows that were left as they were."""

    @property
    def n_writes(self) -> int:
        """Rows that were written or deleted."""
        return self.n_new + self.n_changed + self.n_gone


@dataclass(frozen=True, eq=False)
class WritePlan:
    """What to write of one side."""

    wanted: Int64Array
    """(n,) positions of new and changed rows among those of the model, ascending."""
    gone: IdArray
    """Ids to delete."""
    counts: WriteCounts


def plan_writes(side: Side, ids: Vocabulary, fingerprints: Int64Array, stored: Iterable[StoredRows]) -> WritePlan:
    """Compare the rows of a model with those of a store, block by block."""
    is_there, is_same = np.zeros(len(ids), dtype=np.bool_), np.zeros(len(ids), dtype=np.bool_)
    gone: list[IdArray] = []
    for found in stored:
        rows = _find_rows(ids, found.ids)
        known = rows >= 0
        gone.append(found.ids[~known])
        is_there[rows[known]] = True
        is_same[rows[known]] = fingerprints[rows[known]] == found.fingerprints[known]
    deleted = np.concatenate(gone) if gone else ids.ids[:0]
    counts = WriteCounts(
        side,
        n_new=int(np.count_nonzero(~is_there)),
        n_changed=int(np.count_nonzero(is_there & ~is_same)),
        n_gone=len(deleted),
        n_unchanged=int(np.count_nonzero(is_same)),
    )
    return WritePlan(np.flatnonzero(~is_same), deleted, counts)


def _find_rows(ids: Vocabulary, wanted: IdArray) -> Int64Array:
    """Return the row of each id, -1 where there is none."""
    if not len(ids):
        return np.full(len(wanted), -1, dtype=np.int64)
    return ids.index_of(wanted, unknown="mark").astype(np.int64)


def stored_rows(ids: list[object], fingerprints: list[int], id_type: str) -> StoredRows:
    """Return rows of plain values."""
    array = np.array(ids, dtype=TEXT if id_type == "VARCHAR" else np.int64)
    return StoredRows(array, np.array(fingerprints, dtype=np.int64))

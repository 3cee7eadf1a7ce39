"""Insert folded users and items into the parts of a model, in the order of ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.data.cold_ids import restrict_to
from nestrec.data.ids import IdArray, as_text
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError
from nestrec.fold_in.histories import Histories

_SECTION = "folded_in"  # of the manifest


class Places(NamedTuple):
    """Rows in the vocabulary of all ids."""

    known: Int32Array  # (n_known,) of the model's ids, in their order
    new: Int32Array  # (n_new,) of the inserted ids, in their order


def insert_ids(known: Vocabulary, ids: IdArray, noun: str) -> tuple[Vocabulary, Places]:
    """Return the vocabulary of all ids and where they are; raise OptionError for an id that is known."""
    repeated = ids[known.index_of(ids, unknown="mark") >= 0].tolist()
    if repeated:
        shown = f"{len(repeated)} known: {repeated[0]!r}" + (", …" if len(repeated) > 1 else "")
        raise OptionError(
            f"new {noun}s must have ids that the model does not know, got {shown}; "
            "fold_in returns vectors of known ones from new histories"
        )
    same = known.ids.dtype.kind == ids.dtype.kind
    merged = Vocabulary.from_ids(np.concatenate([known.ids, ids] if same else [as_text(known.ids), as_text(ids)]))
    return merged, Places(merged.index_of(known.ids), merged.index_of(ids))


def insert_rows(table: Float32Array, rows: Float32Array, places: Places) -> Float32Array:
    """Return the vectors of all ids, (n_known + n_new, embedding_size)."""
    merged = np.empty((len(table) + len(rows), table.shape[1]), dtype=np.float32)
    merged[places.known], merged[places.new] = table, rows
    return merged


def insert_users(seen: Interactions, histories: Histories, users: Vocabulary, places: Places) -> Interactions:
    """Return the interactions with the histories of new users."""
    rows = places.new[_rows_of(histories.indptr)]
    return _add_pairs(restrict_to(seen, users, seen.items), rows, histories.indices, histories.weights)


def insert_items(seen: Interactions, histories: Histories, items: Vocabulary, places: Places) -> Interactions:
    """Return the interactions with new items, whose histories are users."""
    columns = places.new[_rows_of(histories.indptr)]
    return _add_pairs(restrict_to(seen, seen.users, items), histories.indices, columns, histories.weights)


def count_folded(manifest: Mapping[str, Any], side: str, n: int) -> dict[str, Any]:
    """Return the manifest with the numbers of users and items that were folded in."""
    found = manifest.get(_SECTION)
    counts = dict(found) if isinstance(found, Mapping) else {"users": 0, "items": 0}
    return {**manifest, _SECTION: {**counts, side: counts.get(side, 0) + n}}


def _rows_of(indptr: Int64Array) -> Int64Array:
    return np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))


def _add_pairs(
    seen: Interactions,
    rows: Int32Array,  # (n,) of new pairs
    columns: Int32Array,  # (n,)
    weights: Float64Array,  # (n,) kept where those of the interactions are
) -> Interactions:
    all_rows = np.concatenate([_rows_of(seen.indptr), rows])
    all_columns = np.concatenate([seen.indices, columns])
    order = np.lexsort((all_columns, all_rows))
    indptr = np.zeros(seen.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(all_rows, minlength=seen.n_users), out=indptr[1:])
    of_all = None if seen.weights is None else np.concatenate([seen.weights, weights.astype(np.float32)])[order]
    return replace(seen, indptr=indptr, indices=all_columns[order], weights=of_all, timestamps=None)

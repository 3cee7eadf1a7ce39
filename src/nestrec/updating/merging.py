"""Old and new interactions as one matrix, without what is to be removed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float32Array, Int64Array
from nestrec.data.cold_ids import drop_cold, restrict_to
from nestrec.data.dislikes import with_dislikes
from nestrec.data.ids import as_text
from nestrec.data.interactions import Interactions
from nestrec.data.read_report import format_count
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import UnknownIdError
from nestrec.retrieval.id_lookup import Ids, Unknown, look_up

_SHOWN = 5


@dataclass(frozen=True)
class Removal:
    """What a model is to forget."""

    users: Ids | None = None
    items: Ids | None = None
    interactions: Interactions | None = None

    @property
    def is_empty(self) -> bool:
        """Whether nothing is removed."""
        return self.users is None and self.items is None and self.interactions is None


@dataclass(frozen=True)
class Merged:
    """What an update trains on, and how it came about."""

    interactions: Interactions  # without users and items of whom none is left
    n_new: int  # interactions that were not known
    n_known: int  # new interactions that were known already
    n_removed: int  # known and new interactions that were removed
    n_not_found: int  # ids and pairs to remove that are not there


def merge(seen: Interactions, new: Interactions | None, removal: Removal, unknown: Unknown) -> Merged:
    """Return the interactions that are in either, each once, without those to remove; and the dislikes of both.

    Weights of a pair are summed; where one side has none, its pairs weigh 1. Raises UnknownIdError for something to
    remove that is in neither, unless `unknown` is "skip".
    """
    new = seen if new is None else new
    users, items = _join(seen.users, new.users), _join(seen.items, new.items)
    parts = [restrict_to(part, users, items) for part in ((seen,) if new is seen else (seen, new))]
    part_keys = [_keys(part) for part in parts]
    keys, places = np.unique(np.concatenate(part_keys), return_inverse=True)
    kept, n_not_found = _select(keys, users, items, removal, unknown)
    weights = _sum_weights(parts, places, len(keys))
    joined = _from_keys(keys[kept], users, items, None if weights is None else weights[kept])
    interactions = drop_cold(_add_dislikes(joined, parts))
    n_new = len(keys) - seen.n_interactions
    return Merged(
        interactions=interactions,
        n_new=n_new,
        n_known=len(places) - seen.n_interactions - n_new,
        n_removed=int(np.count_nonzero(~kept)),
        n_not_found=n_not_found,
    )


def _join(one: Vocabulary, other: Vocabulary) -> Vocabulary:
    """Return the ids of both."""
    if one is other:
        return one
    parts = one.ids, other.ids
    if one.ids.dtype != other.ids.dtype:
        parts = as_text(one.ids), as_text(other.ids)
    return Vocabulary.from_ids(np.concatenate(parts))


def _keys(interactions: Interactions) -> Int64Array:
    """Return an ascending key for each pair."""
    rows = np.repeat(np.arange(interactions.n_users, dtype=np.int64), np.diff(interactions.indptr))
    keys: Int64Array = rows * interactions.n_items + interactions.indices
    return keys


def _from_keys(
    keys: Int64Array, users: Vocabulary, items: Vocabulary, weights: Float32Array | None = None
) -> Interactions:
    indptr = np.searchsorted(keys, np.arange(len(users) + 1, dtype=np.int64) * len(items)).astype(np.int64)
    return Interactions(users, items, indptr, (keys % len(items)).astype(np.int32), weights=weights)


def _sum_weights(parts: Sequence[Interactions], places: Int64Array, n: int) -> Float32Array | None:
    """Return the weight of each of n pairs, None if no part has weights; `places` are those of all parts' pairs."""
    if all(part.weights is None for part in parts):
        return None
    weights = [np.ones(part.n_interactions) if part.weights is None else part.weights for part in parts]
    return np.bincount(places, np.concatenate(weights), minlength=n).astype(np.float32)


def _add_dislikes(interactions: Interactions, parts: Sequence[Interactions]) -> Interactions:
    """Return the interactions with the dislikes of all parts; a pair that is an interaction is none."""
    keys = [_keys(part.dislikes) for part in parts if part.dislikes is not None]
    if not keys:
        return interactions
    dislikes = _from_keys(np.unique(np.concatenate(keys)), interactions.users, interactions.items)
    return with_dislikes(interactions, dislikes)


def _select(
    keys: Int64Array, users: Vocabulary, items: Vocabulary, removal: Removal, unknown: Unknown
) -> tuple[BoolArray, int]:
    """Return which pairs are kept, and how many ids and pairs to remove are not there."""
    kept, n_not_found = np.ones(len(keys), dtype=np.bool_), 0
    for ids, vocabulary, noun, indices in (
        (removal.users, users, "user", keys // len(items)),
        (removal.items, items, "item", keys % len(items)),
    ):
        if ids is not None:
            found = look_up(vocabulary, ids, noun, unknown)
            is_removed = np.zeros(len(vocabulary), dtype=np.bool_)
            is_removed[found.rows] = True
            kept &= ~is_removed[indices]
            n_not_found += len(found.skipped)
    if removal.interactions is not None:
        removed = _keys(restrict_to(removal.interactions, users, items))
        removed = removed[np.isin(removed, keys)]
        n_missing = removal.interactions.n_interactions - len(removed)
        if n_missing and unknown != "skip":
            message = _describe_missing(removal.interactions, users, items, keys, n_missing)
            raise UnknownIdError(message, mentions=('unknown="skip"',))
        kept &= ~np.isin(keys, removed)
        n_not_found += n_missing
    return kept, n_not_found


def _describe_missing(pairs: Interactions, users: Vocabulary, items: Vocabulary, keys: Int64Array, n: int) -> str:
    rows = users.index_of(pairs.users.ids, unknown="mark")[np.repeat(np.arange(pairs.n_users), np.diff(pairs.indptr))]
    columns = items.index_of(pairs.items.ids, unknown="mark")[pairs.indices]
    missing = (rows < 0) | (columns < 0) | ~np.isin(rows.astype(np.int64) * len(items) + columns, keys)
    places: Any = np.flatnonzero(missing)[:_SHOWN]
    of_users = pairs.users.ids[np.searchsorted(pairs.indptr, places, side="right") - 1].tolist()
    of_items = pairs.items.ids[pairs.indices[places]].tolist()
    shown = ", ".join(f"{user!r} with {item!r}" for user, item in zip(of_users, of_items, strict=True))
    return (
        f"interactions to remove must be among those that the model has seen, got {format_count(n, 'other')}: {shown}"
        f'{", …" if n > _SHOWN else ""}; correct them, or skip them with unknown="skip"'
    )

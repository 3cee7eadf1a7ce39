"""Negative feedback: pairs of a user and an item that the user dislikes, beside the interactions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from nestrec.arrays import BoolArray, Int64Array
from nestrec.data.cold_ids import restrict_to
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import select_interactions


def with_dislikes(interactions: Interactions, dislikes: Interactions) -> Interactions:
    """Return the interactions with these dislikes, matched by id.

    Left out are dislikes of users or items without interactions, which have no vectors, and of pairs that are
    interactions.

    >>> from nestrec import read_interactions
    >>> likes = read_interactions({"user": ["ann", "bob"], "item": [1, 2]})
    >>> bad = read_interactions({"user": ["ann", "ann", "cid"], "item": [1, 2, 2]})
    >>> with_dislikes(likes, bad).dislikes
    <Interactions: 2 users, 2 items, 1 interactions>
    """
    known = restrict_to(replace(dislikes, weights=None, dislikes=None), interactions.users, interactions.items)
    return replace(interactions, dislikes=select_interactions(known, ~_are_in(known, interactions)), check=False)


def _are_in(pairs: Interactions, others: Interactions) -> BoolArray:
    """Return which of the pairs are among the others too, (n_interactions,); both with the same indices."""
    keys, found = _build_keys(others), _build_keys(pairs)
    if not len(keys):
        return np.zeros(len(found), dtype=np.bool_)
    places = np.minimum(np.searchsorted(keys, found), len(keys) - 1)
    return np.asarray(keys[places] == found)


def _build_keys(pairs: Interactions) -> Int64Array:
    """Return one ascending int64 for each pair."""
    keys = np.repeat(np.arange(pairs.n_users, dtype=np.int64), np.diff(pairs.indptr))
    return keys * pairs.n_items + pairs.indices

"""Interactions as arrays of a file: pairs, weights where there are any, and dislikes where there are any."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy.typing as npt

from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary

_PAIRS = ("indptr", "indices")
_DISLIKES = ("dislike_indptr", "dislike_indices")
_WEIGHTS = "weights"


def pack_pairs(interactions: Interactions) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays by name, without ids and times."""
    arrays: dict[str, npt.NDArray[Any]] = {"indptr": interactions.indptr, "indices": interactions.indices}
    if interactions.weights is not None:
        arrays[_WEIGHTS] = interactions.weights
    if interactions.dislikes is not None:
        dislikes = interactions.dislikes
        arrays |= dict(zip(_DISLIKES, (dislikes.indptr, dislikes.indices), strict=True))
    return arrays


def name_pair_arrays(found: Collection[str]) -> set[str]:
    """Return the names that a file with these arrays must have, all of them and no others.

    >>> sorted(name_pair_arrays(["indptr", "dislike_indptr"]))
    ['dislike_indices', 'dislike_indptr', 'indices', 'indptr']
    """
    has_dislikes = any(name in found for name in _DISLIKES)
    return {*_PAIRS, *(_DISLIKES if has_dislikes else ()), *((_WEIGHTS,) if _WEIGHTS in found else ())}


def unpack_pairs(
    users: Vocabulary, items: Vocabulary, arrays: Mapping[str, npt.NDArray[Any]], *, check: bool = True
) -> Interactions:
    """Return the interactions; raise DataError where the arrays do not fit, their contents only with `check`."""
    dislikes = None
    if _DISLIKES[0] in arrays:
        indptr, indices = (arrays[name] for name in _DISLIKES)
        dislikes = Interactions(users, items, indptr, indices, check=check)
    indptr, indices = (arrays[name] for name in _PAIRS)
    weights = arrays.get(_WEIGHTS)
    return Interactions(users, items, indptr, indices, weights=weights, dislikes=dislikes, check=check)

"""Histories that callers pass for folding in, as rows of known ids in ascending order, each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.data.cold_ids import restrict_to
from nestrec.data.ids import IdArray, canonicalize_ids
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError
from nestrec.retrieval.id_lookup import LookedUp, Unknown, look_up
from nestrec.retrieval.item_lists import ItemLists

_MANY = (list, tuple, np.ndarray, Set, range)  # a list of these is a list of histories


@dataclass(frozen=True, eq=False)
class Histories:
    """Rows of the ids of each history (CSR), with a weight for each."""

    names: IdArray  # (n,) ids of those who have the histories
    indptr: Int64Array  # (n + 1,)
    indices: Int32Array  # (n_entries,) rows of the model, ascending in each history
    weights: Float64Array  # (n_entries,) above 0
    skipped: IdArray  # ids that the model does not know, as they were given
    single: bool  # one history by itself
    skipped_names: IdArray  # of histories of unknown ids alone, which are left out
    kept: BoolArray  # (n_given,) which of the given histories these are

    def __len__(self) -> int:
        """Count the histories."""
        return len(self.names)

    @property
    def queries(self) -> LookedUp:
        """The histories as the rows of a search."""
        rows = np.arange(len(self), dtype=np.int32)
        return LookedUp(rows, self.names, self.skipped_names, self.single, self.kept)


def history_of(seen: Interactions, user: int) -> Histories:
    """Return the training interactions of a user, by row."""
    entries = slice(seen.indptr[user], seen.indptr[user + 1])
    indices = np.array(seen.indices[entries])
    indptr = np.array([0, len(indices)], dtype=np.int64)
    weights = np.ones(len(indices)) if seen.weights is None else seen.weights[entries].astype(np.float64)
    name, kept = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.bool_)
    return Histories(name, indptr, indices, weights, indices[:0], single=True, skipped_names=name[:0], kept=kept)


def gather_histories(
    histories: object, weights: object, vocabulary: Vocabulary, noun: str, unknown: Unknown
) -> Histories:
    """Return the histories in terms of the vocabulary of their ids; `noun` (item, user) is used in errors.

    An id that a history repeats counts once; with weights, they are summed. Raises UnknownIdError for an id that the
    vocabulary does not hold, unless `unknown` is "skip", and OptionError for weights that do not fit. Where unknown ids
    are skipped, so are histories of which nothing is left.
    """
    if isinstance(histories, Interactions):
        if weights is not None:
            raise OptionError("weights must be left out with Interactions, which have their own", option="weights")
        weights = _weights_of(histories)
        histories = _lists_of(histories)
    names, lists, single = _separate(histories, noun)
    of_lists = _separate_weights(weights, names, lists, single)
    looked_up = look_up(vocabulary, canonicalize_flat(lists), noun, "skip")
    if len(looked_up.skipped) and unknown != "skip":
        look_up(vocabulary, looked_up.skipped, noun, unknown)  # raises
    known = vocabulary.index_of(canonicalize_flat(lists), unknown="mark") if len(looked_up.skipped) else looked_up.rows
    sizes = np.array([len(one) for one in lists], dtype=np.int64)
    rows = np.repeat(np.arange(len(lists)), sizes)
    kept = (sizes == 0) | (np.bincount(rows[known >= 0], minlength=len(lists)) > 0)
    new_rows = np.cumsum(kept) - 1  # of the histories that are kept; the others have no known id
    arranged = _arrange(int(kept.sum()), new_rows[rows], known, of_lists)
    return Histories(names[kept], *arranged, looked_up.skipped, single, names[~kept], kept)


def gather_dislikes(histories: object, found: Histories, items: Vocabulary) -> ItemLists:
    """Return the known items that the histories have as dislikes; only Interactions have any."""
    if not isinstance(histories, Interactions) or histories.dislikes is None:
        return ItemLists.empty(len(found))
    known = restrict_to(histories.dislikes, histories.users, items)
    return ItemLists(known.indptr, known.indices).select(np.flatnonzero(found.kept))


def check_named(histories: object, noun: str) -> None:
    """Raise OptionError unless histories have names of users or items, which `noun` says."""
    if not isinstance(histories, (Mapping, Interactions)):
        raise OptionError(
            f"histories must be a mapping of new {noun} ids to lists, or Interactions; got {type(histories).__name__}",
            option="histories",
        )


def canonicalize_flat(lists: Sequence[Sequence[Any]]) -> IdArray:
    """Return the ids of all lists as one array of one type."""
    flat = [value for one in lists for value in one]
    return canonicalize_ids(flat) if flat else np.zeros(0, dtype=np.int64)


def _lists_of(interactions: Interactions) -> dict[Any, list[Any]]:
    """Return the items of each user; the ids of both are unique."""
    ids, ends = interactions.items.ids[interactions.indices].tolist(), interactions.indptr.tolist()
    names = interactions.users.ids.tolist()
    return {name: ids[ends[row] : ends[row + 1]] for row, name in enumerate(names)}


def _weights_of(interactions: Interactions) -> dict[Any, Float32Array] | None:
    """Return the weights of each user's items, None where all are 1."""
    if interactions.weights is None:
        return None
    parts = np.split(interactions.weights, interactions.indptr[1:-1])
    return dict(zip(interactions.users.ids.tolist(), parts, strict=True))


def _separate(histories: object, noun: str) -> tuple[IdArray, list[list[Any]], bool]:
    """Return names, lists of ids and whether it is one history by itself."""
    if isinstance(histories, Mapping):
        lists = [_as_list(one, noun) for one in histories.values()]
        return _check_names(list(histories)), lists, False
    given = _as_list(histories, noun)
    if any(isinstance(one, _MANY) for one in given):
        return np.arange(len(given)), [_as_list(one, noun) for one in given], False
    return np.zeros(1, dtype=np.int64), [given], True


def _as_list(ids: object, noun: str) -> list[Any]:
    """Return the ids of one history; raise OptionError where they are no list."""
    if isinstance(ids, (str, bytes, Mapping, type)) or not isinstance(ids, (Iterable, Iterator)):
        raise OptionError(
            f"a history must be a list of {noun} ids, got {type(ids).__name__} {ids!r:.50}; put a single id in a list",
            option="histories",
        )
    if isinstance(ids, np.ndarray):
        if ids.ndim == 0:
            raise OptionError(f"a history must be a list of {noun} ids, got one id; put it in a list")
        return list(ids) if ids.ndim > 1 else list(ids.tolist())
    return list(ids)


def _check_names(names: list[Any]) -> IdArray:
    ids = canonicalize_ids(names) if names else np.zeros(0, dtype=np.int64)
    if len(set(ids.tolist())) < len(names):
        raise OptionError("names of histories must be unique as ids, got one of them twice, such as 1 and '1'")
    return ids


def _separate_weights(weights: object, names: IdArray, lists: list[list[Any]], single: bool) -> Float64Array | None:  # noqa: FBT001
    """Return the weights of all lists in one array, None where none are given."""
    if weights is None:
        return None
    if isinstance(weights, Mapping):
        by_name = dict(zip(canonicalize_ids(list(weights)).tolist(), weights.values(), strict=True)) if weights else {}
        if single or set(by_name) != set(names.tolist()):
            raise OptionError("weights must have the names of the histories, each once", option="weights")
        parts = [by_name[name] for name in names.tolist()]
    elif single:
        parts = [weights]
    else:
        parts = list(weights) if isinstance(weights, Iterable) else []
    try:
        arrays = [np.asarray(list(part), dtype=np.float64).reshape(-1) for part in parts]
    except (TypeError, ValueError) as error:
        raise OptionError(
            f"weights must be numbers in the shape of the histories ({error})", option="weights"
        ) from error
    if [len(one) for one in arrays] != [len(one) for one in lists]:
        raise OptionError("weights must have the shape of the histories: one number for each id", option="weights")
    flat = np.concatenate([np.zeros(0), *arrays])
    if not (np.isfinite(flat) & (flat > 0)).all():
        wrong = flat[~(np.isfinite(flat) & (flat > 0))][0]
        raise OptionError(f"weights must be finite and above 0, got {wrong}; leave out what has no weight")
    return flat


def _arrange(
    n: int,  # histories
    rows: Int64Array,  # (n_given,) history of each id
    known: Int32Array,  # (n_given,) its index, -1 if unknown
    weights: Float64Array | None,
) -> tuple[Int64Array, Int32Array, Float64Array]:
    """Return the known ids of each history in ascending order, repeats joined, as indptr, indices and weights."""
    kept = known >= 0
    width = int(known.max(initial=0)) + 1
    keys, places = np.unique(rows[kept].astype(np.int64) * width + known[kept], return_inverse=True)
    summed = np.ones(len(keys))
    if weights is not None:
        summed = np.bincount(places, weights[kept], minlength=len(keys)).astype(np.float64)
    indptr = np.searchsorted(keys, np.arange(n + 1, dtype=np.int64) * width).astype(np.int64)
    return indptr, (keys % width).astype(np.int32), summed

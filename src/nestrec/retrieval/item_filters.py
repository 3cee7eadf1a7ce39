"""Allow- and deny-lists of item ids, for all queries of a request or for each its own, as rows of the model.

    [10, 20]                          for all queries
    [[10, 20], [30]]                  one list per query, in their order
    {"ann": [10, 20], "bob": [30]}    by the id of the query
    Interactions                      likewise: what is allowed or denied are its pairs

Lists of single queries are sets of pairs: a query without an entry has an empty list, so that nothing is denied to it,
and nothing allowed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from nestrec.arrays import Int32Array
from nestrec.data.ids import IdArray, canonicalize_ids
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError
from nestrec.retrieval.id_lookup import Ids, LookedUp, Unknown, look_up
from nestrec.retrieval.item_lists import ItemLists

ItemChoice = Ids | Mapping[Any, Ids] | Sequence[Ids] | Interactions  # see the module

_NO_IDS: IdArray = np.zeros(0, dtype=np.int64)


class ItemFilters(NamedTuple):
    """Items that may and may not be returned, as item indices; None where there is no list."""

    allow: Int32Array | None = None
    deny: Int32Array | None = None
    allow_lists: ItemLists | None = None  # by query
    deny_lists: ItemLists | None = None
    skipped: IdArray = _NO_IDS  # unknown ids of the lists, as they were given

    def with_skipped(self, ids: IdArray) -> ItemFilters:
        """Return the same filters, with more unknown ids to report before their own."""
        return self._replace(skipped=_join([ids, self.skipped]))


class Asked(NamedTuple):
    """The queries of a request, whose ids lists may name."""

    queries: LookedUp
    noun: str  # in errors
    known: Vocabulary | None  # ids that lists by id must be of; None: any


def look_up_filters(
    items: Vocabulary,
    asked: Asked,
    allow: ItemChoice | None,
    deny: ItemChoice | None,
    unknown: Unknown,
    matching: Int32Array | None = None,
) -> ItemFilters:
    """Return the rows of allow- and deny-lists; `matching` are those that a condition leaves, None: all.

    Raises UnknownIdError for ids that the model does not know, unless `unknown` is "skip", and OptionError for lists
    that do not fit the queries.
    """
    allowed, allow_lists, skipped = _look_up_choice("allow", items, asked, allow, unknown)
    denied, deny_lists, skipped_too = _look_up_choice("deny", items, asked, deny, unknown)
    if matching is not None:
        allowed = matching if allowed is None else np.intersect1d(allowed, matching)
    return ItemFilters(allowed, denied, allow_lists, deny_lists, _join([skipped, skipped_too]))


def is_own_lists(choice: object) -> bool:
    """Tell whether a choice of items holds a list for each query."""
    if isinstance(choice, (Mapping, Interactions)):
        return True
    if isinstance(choice, np.ndarray) and choice.dtype.kind != "O":
        return choice.ndim == 2
    return isinstance(choice, (list, tuple, np.ndarray)) and any(map(_is_list, choice))


def _look_up_choice(
    name: str, items: Vocabulary, asked: Asked, choice: ItemChoice | None, unknown: Unknown
) -> tuple[Int32Array | None, ItemLists | None, IdArray]:
    """Return the rows for all queries or the lists of each, and unknown ids."""
    if choice is None:
        return None, None, _NO_IDS
    if isinstance(choice, Interactions):
        lists, skipped = _look_up_pairs(items, asked, choice, unknown)
        return None, lists, skipped
    if isinstance(choice, Mapping):
        lists, skipped = _look_up_lists(items, list(choice.values()), unknown)
        if asked.known is not None:
            look_up(asked.known, list(choice), asked.noun, unknown)
        return None, _arrange(lists, asked, canonicalize_ids(list(choice))), skipped
    if is_own_lists(choice):
        given: list[Any] = list(choice)  # type: ignore[arg-type]
        _check_length(name, given, asked)
        lists, skipped = _look_up_lists(items, given, unknown)
        return None, lists.select(np.flatnonzero(asked.queries.known)), skipped
    found = look_up(items, choice, "item", unknown)
    return found.rows, None, found.skipped


def _look_up_lists(items: Vocabulary, given: list[Any], unknown: Unknown) -> tuple[ItemLists, IdArray]:
    """Look the ids of all lists up at once."""
    lists = [list(ids) if _is_list(ids) else [ids] for ids in given]
    found = look_up(items, [item for ids in lists for item in ids], "item", unknown)
    owners = np.repeat(np.arange(len(lists)), [len(ids) for ids in lists])[found.known]
    return ItemLists.from_sizes(np.bincount(owners, minlength=len(lists)), found.rows), found.skipped


def _look_up_pairs(items: Vocabulary, asked: Asked, pairs: Interactions, unknown: Unknown) -> tuple[ItemLists, IdArray]:
    """Return the items of each query's pairs; users that are not asked for are not looked at."""
    found = look_up(items, pairs.items.ids, "item", unknown)
    rows = np.full(pairs.n_items, -1, dtype=np.int32)
    rows[found.known] = found.rows
    owners = pairs.users.index_of(asked.queries.ids, unknown="mark")
    lists = _select_or_empty(ItemLists(pairs.indptr, pairs.indices), owners)
    own = ItemLists(lists.indptr, rows[lists.indices])
    return own.keep(own.indices >= 0), found.skipped


def _arrange(lists: ItemLists, asked: Asked, keys: IdArray) -> ItemLists:
    """Return the list of each query, from lists by key; keys that are not asked for are not looked at."""
    queries = Vocabulary.from_ids(asked.queries.ids)
    rows = queries.index_of(keys, unknown="mark")
    known = np.flatnonzero(rows >= 0)
    if len(np.unique(rows[known])) < len(known):
        raise OptionError(f"lists by {asked.noun} id must name each {asked.noun} once, got one under two spellings")
    place = np.full(len(queries), -1, dtype=np.int64)
    place[rows[known]] = known
    return _select_or_empty(lists, place[queries.index_of(asked.queries.ids)])


def _select_or_empty(lists: ItemLists, rows: Any) -> ItemLists:
    """Return these rows of the lists; an empty list for -1."""
    longer = ItemLists(np.append(lists.indptr, lists.indptr[-1]), lists.indices)
    return longer.select(np.where(rows < 0, len(lists.indptr) - 1, rows))


def _check_length(name: str, given: list[Any], asked: Asked) -> None:
    n = len(asked.queries.known)
    if len(given) != n:
        raise OptionError(
            f"{name} must hold one list for each of {n} {asked.noun} ids, got {len(given)}; or give one list of item "
            f"ids for all, or a dictionary of lists by {asked.noun} id",
            option=name,
        )


def _is_list(value: object) -> bool:
    """Tell whether a value is several ids rather than one."""
    if isinstance(value, np.ndarray):
        return value.ndim > 0
    return isinstance(value, (Collection, Iterable)) and not isinstance(value, (str, bytes))


def _join(parts: list[IdArray]) -> IdArray:
    filled = [part for part in parts if len(part)]
    if len(filled) < 2:
        return [*filled, _NO_IDS][0]
    return canonicalize_ids([value for part in filled for value in part.tolist()])

"""Merging: each pair once, nothing forgotten, nothing left of what is removed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec import read_interactions
from nestrec.data.interactions import Interactions
from nestrec.errors import UnknownIdError
from nestrec.updating.merging import Removal, merge


def pairs(*given: tuple[Any, Any], **columns: list[float]) -> Interactions:
    return read_interactions({"user": [user for user, _ in given], "item": [item for _, item in given], **columns})


def listed(interactions: Interactions) -> list[tuple[Any, Any]]:
    rows = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    users, items = interactions.users.ids[rows], interactions.items.ids[interactions.indices]
    return list(zip(users.tolist(), items.tolist(), strict=True))


SEEN = pairs(("ann", 1), ("ann", 3), ("bob", 2))


def test_old_and_new_pairs_are_there_once() -> None:
    merged = merge(SEEN, pairs(("bob", 2), ("bob", 9), ("cid", 1)), Removal(), "raise")
    assert listed(merged.interactions) == [("ann", 1), ("ann", 3), ("bob", 2), ("bob", 9), ("cid", 1)]
    assert (merged.n_new, merged.n_known, merged.n_removed) == (2, 1, 0)


def test_a_text_id_among_whole_numbers_makes_all_of_them_text() -> None:
    merged = merge(SEEN, pairs(("ann", "x")), Removal(), "raise")
    assert listed(merged.interactions) == [("ann", "1"), ("ann", "3"), ("ann", "x"), ("bob", "2")]


def test_users_and_items_go_with_all_their_pairs_and_so_does_who_has_none_left() -> None:
    merged = merge(SEEN, pairs(("cid", 1)), Removal(users=["ann"], items=[2]), "raise")
    assert listed(merged.interactions) == [("cid", 1)]
    assert merged.interactions.users.ids.tolist() == ["cid"]
    assert merged.n_removed == 3


def test_single_pairs_go() -> None:
    merged = merge(SEEN, None, Removal(interactions=pairs(("ann", 3))), "raise")
    assert listed(merged.interactions) == [("ann", 1), ("bob", 2)]
    assert (merged.n_new, merged.n_removed) == (0, 1)


@pytest.mark.parametrize(
    "removal", [Removal(users=["eve"]), Removal(items=[7]), Removal(interactions=pairs(("ann", 2), ("eve", 1)))]
)
def test_what_is_not_there_is_an_error_or_counted(removal: Removal) -> None:
    with pytest.raises(UnknownIdError, match=r"eve|7"):
        merge(SEEN, None, removal, "raise")
    merged = merge(SEEN, None, removal, "skip")
    assert listed(merged.interactions) == listed(SEEN)
    assert merged.n_not_found >= 1


def test_weights_are_summed_and_1_where_there_are_none() -> None:
    weighted = pairs(("ann", 1), ("bob", 9))
    weighted = Interactions(
        weighted.users, weighted.items, weighted.indptr, weighted.indices, weights=np.array([4, 0.5], dtype=np.float32)
    )
    merged = merge(SEEN, weighted, Removal(users=["cid"]), "skip").interactions
    assert listed(merged) == [("ann", 1), ("ann", 3), ("bob", 2), ("bob", 9)]
    assert merged.weights is not None
    assert merged.weights.tolist() == [5.0, 1.0, 1.0, 0.5]


def test_dislikes_are_kept_unless_the_pair_became_an_interaction() -> None:
    from nestrec.data.dislikes import with_dislikes

    seen = with_dislikes(SEEN, pairs(("ann", 2), ("bob", 1)))
    merged = merge(seen, pairs(("bob", 1)), Removal(), "raise").interactions
    assert merged.dislikes is not None
    assert listed(merged.dislikes) == [("ann", 2)]


def test_many_text_ids_are_joined() -> None:
    """Two ascending lists of text crashed NumPy's default sort."""
    one = pairs(*((f"u{number:05}", number) for number in range(0, 600, 2)))
    other = pairs(*((f"u{number:05}", number) for number in range(0, 600, 3)))
    assert merge(one, other, Removal(), "raise").interactions.n_users == 400

"""The k-core against its definition: take out whoever has too few until nobody has."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.filters import k_core
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, OptionError
from tests.data.row_tables import Row, from_rows, many, row_lists, rows_of


def plain_core(rows: list[Row], min_user: int, min_item: int) -> list[Row]:
    """Count, take out, repeat: the definition."""
    while True:
        users, items = [row[0] for row in rows], [row[1] for row in rows]
        kept = [row for row in rows if users.count(row[0]) >= min_user and items.count(row[1]) >= min_item]
        if len(kept) == len(rows):
            return rows
        rows = kept


@settings(deadline=None)  # the first example compiles the kernel
@given(row_lists(), st.integers(0, 4), st.integers(0, 4))
def test_core_is_what_remains_after_taking_out_until_nobody_is_below(
    rows: list[Row], min_user: int, min_item: int
) -> None:
    interactions = from_rows(rows)
    expected = plain_core(rows_of(interactions), min_user, min_item)
    if not expected:
        with pytest.raises(DataError, match="no interaction is left"):
            k_core(interactions, min_user, min_item)
        return
    core = k_core(interactions, min_user, min_item)
    assert rows_of(core) == expected
    assert core.users.ids.tolist() == sorted({row[0] for row in expected})
    assert core.items.ids.tolist() == sorted({row[1] for row in expected})


def test_one_removal_can_undo_a_long_chain() -> None:
    """User n shares item n with user n + 1: the two ends fall first, then all the others, one after another."""
    chain: list[Row] = [row for n in range(200) for row in ((n, n, 0.0), (n + 1, n, 0.0))]
    square: list[Row] = [(user, item, 0.0) for user in (900, 901) for item in (900, 901)]
    assert rows_of(k_core(from_rows(chain + square), 2, 2)) == square


def test_core_does_not_depend_on_the_order_of_filtering() -> None:
    """Filtering twice changes nothing, and users first or items first comes to the same."""
    core = k_core(many(3), 8, 12)
    assert 0 < core.n_interactions < many(3).n_interactions
    assert k_core(core, 8, 12).fingerprint() == core.fingerprint()
    assert k_core(k_core(many(3), 8, 0), 8, 12).fingerprint() == core.fingerprint()
    assert k_core(k_core(many(3), 0, 12), 8, 12).fingerprint() == core.fingerprint()


def test_users_and_items_without_interactions_leave_the_vocabularies() -> None:
    bare = Interactions(
        Vocabulary.from_ids([1, 2]),
        Vocabulary.from_ids(["a", "b"]),
        np.array([0, 0, 1], dtype=np.int64),
        np.array([1], dtype=np.int32),
    )
    core = k_core(bare, 0, 0)
    assert (core.users.ids.tolist(), core.items.ids.tolist(), core.indices.tolist()) == ([2], ["b"], [0])
    assert core.timestamps is None


def test_core_that_removes_all_says_so_with_the_values_and_the_way_out() -> None:
    interactions = from_rows([(1, 1, 0.0), (2, 1, 0.0)])
    with pytest.raises(DataError) as caught:
        k_core(interactions, 5, 7)
    assert str(caught.value) == (
        "no interaction is left where every user has at least 5 and every item at least 7 (there were 2); "
        "lower min_user_interactions or min_item_interactions"
    )


def test_a_negative_minimum_is_refused() -> None:
    with pytest.raises(OptionError, match="min_item_interactions must be at least 0, got -1"):
        k_core(many(1), 0, -1)


def test_the_input_stays_as_it_is() -> None:
    interactions = many(4)
    before = interactions.fingerprint()
    k_core(interactions, 10, 10)
    assert interactions.fingerprint() == before

"""Dropping ids without interactions, and bringing interactions into the rows and columns that are left."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.cold_ids import drop_cold, find_warm_items, restrict_to
from nestrec.data.dislikes import with_dislikes
from nestrec.data.filters import k_core
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit, TimeSplit
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError

PAIRS = st.sets(st.tuples(st.integers(0, 8), st.integers(0, 11)), min_size=1)


def of_pairs(pairs: set[tuple[int, int]], *, text: bool = False) -> Interactions:
    """Return users 0 to 8 and items 0 to 11 (as text: a0, a1, …), with times that name the pair."""
    ordered = sorted(pairs)
    indptr = np.concatenate([[0], np.cumsum(np.bincount([u for u, _ in ordered], minlength=9))]).astype(np.int64)
    names = [Vocabulary.from_ids([f"a{n:02}" for n in range(size)] if text else np.arange(size)) for size in (9, 12)]
    times = np.array([100 * u + i for u, i in ordered], dtype=np.float64)
    return Interactions(names[0], names[1], indptr, np.array([i for _, i in ordered], dtype=np.int32), times)


def told(interactions: Interactions) -> set[tuple[object, object, float]]:
    users = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    times = interactions.timestamps
    assert times is not None
    return set(
        zip(interactions.users.ids[users].tolist(), interactions.items.ids[interactions.indices].tolist(),
            times.tolist(), strict=True)
    )  # fmt: skip


@settings(deadline=None)
@given(PAIRS)
def test_every_id_left_has_an_interaction_and_no_interaction_is_lost(pairs: set[tuple[int, int]]) -> None:
    whole = of_pairs(pairs)
    kept = drop_cold(whole)
    assert told(kept) == told(whole)
    assert np.diff(kept.indptr).min() > 0
    assert find_warm_items(kept).all()
    assert kept.fingerprint() == k_core(whole, 1, 1).fingerprint()
    assert drop_cold(kept) is kept


@settings(deadline=None)
@given(PAIRS, PAIRS)
def test_restricting_keeps_the_pairs_of_both(pairs: set[tuple[int, int]], others: set[tuple[int, int]]) -> None:
    into = drop_cold(of_pairs(others))
    found = restrict_to(of_pairs(pairs), into.users, into.items)
    users, items = {u for u, _ in others}, {i for _, i in others}
    expected = {(u, i) for u, i in pairs if u in users and i in items}
    assert {(u, i) for u, i, _ in told(found)} == expected
    assert all(t == 100 * u + i for u, i, t in told(found))  # type: ignore[operator]
    assert (found.users, found.items) == (into.users, into.items)


def test_numbers_among_text_have_another_order() -> None:
    """9 before 10 as numbers, "10" before "9" as text: columns are sorted anew."""
    numbers = Interactions(
        Vocabulary.from_ids([1]), Vocabulary.from_ids([9, 10]), np.array([0, 2]), np.array([0, 1], dtype=np.int32),
        np.array([9.0, 10.0]),
    )  # fmt: skip
    found = restrict_to(numbers, Vocabulary.from_ids(["1", "x"]), Vocabulary.from_ids(["10", "9", "y"]))
    assert found.indices.tolist() == [0, 1]
    assert told(found) == {("1", "10", 10.0), ("1", "9", 9.0)}


def signals_of(interactions: Interactions) -> tuple[dict[tuple[int, int], float], set[tuple[int, int]]]:
    """Return the weights by pair and the disliked pairs, by id."""
    found = []
    for part in (interactions, interactions.dislikes):
        assert part is not None
        users = part.users.ids[np.repeat(np.arange(part.n_users), np.diff(part.indptr))].tolist()
        found.append(list(zip(users, part.items.ids[part.indices].tolist(), strict=True)))
    assert interactions.weights is not None
    return dict(zip(found[0], interactions.weights.tolist(), strict=True)), set(found[1])


@settings(deadline=None)
@given(PAIRS, PAIRS, st.booleans())
def test_weights_and_dislikes_stay_with_their_pairs(
    pairs: set[tuple[int, int]], disliked: set[tuple[int, int]], by_time: bool
) -> None:
    """Through splits, filters and transfers to other ids."""
    plain = of_pairs(pairs)
    weights = np.arange(1, plain.n_interactions + 1, dtype=np.float32)
    whole = with_dislikes(replace(plain, weights=weights), of_pairs(disliked))
    by_pair, disliked_pairs = signals_of(whole)
    assert disliked_pairs == disliked - pairs
    parts = [drop_cold(whole), k_core(whole, 1, 1)]
    cut = TimeSplit(at=400.5) if by_time else RandomSplit(0.5, seed=1)
    try:
        train, held_out = cut.split(whole)
    except DataError:  # nothing to hold out
        return
    assert held_out.dislikes is None
    parts += [train, drop_cold(train), restrict_to(whole, train.users, train.items)]
    for part in parts:
        of_part, disliked_of_part = signals_of(part)
        assert of_part.items() <= by_pair.items()
        users, items = set(part.users.ids.tolist()), set(part.items.ids.tolist())
        known = {(user, item) for user, item in disliked_pairs if user in users and item in items}
        if by_time and (part is train or part is parts[3]):
            known = {(user, item) for user, item in known if 100 * user + item < 400.5}
        assert disliked_of_part == known
    assert signals_of(train)[0].keys() | told_pairs(held_out) == by_pair.keys()


def told_pairs(interactions: Interactions) -> set[tuple[int, int]]:
    return {(int(str(user)), int(str(item))) for user, item, _ in told(interactions)}

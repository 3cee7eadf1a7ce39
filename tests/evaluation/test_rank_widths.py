"""Full ranking at every width against a plain reading of it: score all, mask the seen, sort, cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.errors import DataError
from nestrec.evaluation.rank_widths import rank_widths
from nestrec.retrieval import width_scan

FloatMatrix = npt.NDArray[np.float32]
Seen = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]


def plain_ranking(
    users: FloatMatrix, items: FloatMatrix, widths: tuple[int, ...], seen: Seen, user_index: npt.ArrayLike, k: int
) -> npt.NDArray[np.int32]:
    """Return (n_widths, n_ranked, k) item_index by sorting whole rows of scores; -1 after the last item."""
    rows = np.asarray(user_index)
    best = np.full((len(widths), len(rows), k), -1, dtype=np.int32)
    for level, width in enumerate(widths):
        scores = users[rows, :width] @ items[:, :width].T
        for place, row in enumerate(rows):
            left = np.setdiff1d(np.arange(len(items)), seen[1][seen[0][row] : seen[0][row + 1]])
            order = left[np.argsort(-scores[place, left], kind="stable")][:k]
            best[level, place, : len(order)] = order
    return best


def check_integers(rng: np.random.Generator, n: int, size: int, largest: int = 3) -> FloatMatrix:
    """Return vectors whose products are exact in float32, with many ties and some negative zeros."""
    numbers = rng.integers(-largest, largest + 1, size=(n, size)).astype(np.float32)
    return np.where((numbers == 0) & (rng.random((n, size)) < 0.5), np.float32(-0.0), numbers)


def random_seen(rng: np.random.Generator, n_users: int, n_items: int, share: float) -> Seen:
    mask = rng.random((n_users, n_items)) < share
    indptr = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    return indptr, np.nonzero(mask)[1].astype(np.int32)


@pytest.mark.parametrize("n_items", [1, 5, 127, 128, 129, 700])
@pytest.mark.parametrize("widths", [(4, 8, 16), (1,), (3, 7, 10), (2, 64)])
def test_equals_sorting_whole_rows_ties_included(n_items: int, widths: tuple[int, ...]) -> None:
    rng = np.random.default_rng(n_items)
    users, items = check_integers(rng, 23, widths[-1]), check_integers(rng, n_items, widths[-1])
    seen = random_seen(rng, 23, n_items, 0.2)
    rows = rng.permutation(23)[:19]
    for k in (1, 10, 40):
        found = rank_widths(users, items, widths, *seen, rows, k, threads=2)
        assert np.array_equal(found, plain_ranking(users, items, widths, seen, rows, k))


@pytest.mark.parametrize("k", [3, 200, 600, 3000])
def test_buffers_that_are_cut_many_times_keep_the_best(k: int) -> None:
    """Items of equal length arrive in index order; scores that rise with it make every tile better than the last."""
    angles = np.linspace(np.pi / 2, 0.01, 2900)
    items = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    users = np.array([[1, 0], [0, 1], [-1, 0], [0, 0]], dtype=np.float32)
    seen = random_seen(np.random.default_rng(0), 4, len(items), 0.1)
    found = rank_widths(users, items, (1, 2), *seen, np.arange(4), k)
    assert np.array_equal(found, plain_ranking(users, items, (1, 2), seen, np.arange(4), k))


def test_equal_scores_are_ordered_by_item_index_though_items_are_visited_by_length() -> None:
    items = np.array([[1, 0], [1, 9], [1, 3], [1, 5], [2, 0]], dtype=np.float32)
    nothing = np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32)
    found = rank_widths(np.ones((1, 2), np.float32), items, (1,), *nothing, np.array([0]), 4)
    assert found.tolist() == [[[4, 0, 1, 2]]]


def test_order_of_seen_items_does_not_matter() -> None:
    rng = np.random.default_rng(5)
    users, items = check_integers(rng, 6, 4), check_integers(rng, 300, 4)
    indptr, indices = random_seen(rng, 6, 300, 0.4)
    backwards = np.concatenate([indices[a:b][::-1] for a, b in pairwise(indptr)])
    found = rank_widths(users, items, (4,), indptr, backwards, np.arange(6), 20)
    assert np.array_equal(found, plain_ranking(users, items, (4,), (indptr, indices), np.arange(6), 20))


def test_users_with_nothing_left_get_minus_one() -> None:
    indptr, indices = np.array([0, 3, 5], dtype=np.int64), np.array([0, 1, 2, 0, 2], dtype=np.int32)
    users, items = np.ones((2, 1), np.float32), np.ones((3, 1), np.float32)
    found = rank_widths(users, items, (1,), indptr, indices, np.array([0, 1]), 2)
    assert found.tolist() == [[[-1, -1], [1, -1]]]


def test_result_does_not_depend_on_threads_or_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(7)
    users, items = (rng.standard_normal((n, 12), dtype=np.float32) for n in (101, 500))
    seen = random_seen(rng, 101, 500, 0.05)
    rows = np.arange(101)
    whole = rank_widths(users, items, (3, 12), *seen, rows, 20, threads=1)
    assert np.array_equal(whole, plain_ranking(users, items, (3, 12), seen, rows, 20))
    monkeypatch.setattr(width_scan, "_BLOCK", 7)
    assert np.array_equal(whole, rank_widths(users, items, (3, 12), *seen, rows, 20, threads=3))


def test_nobody_to_rank_for_is_an_empty_result() -> None:
    nothing = np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32)
    found = rank_widths(np.ones((1, 2), np.float32), np.ones((3, 2), np.float32), (1, 2), *nothing, np.arange(0), 4)
    assert found.shape == (2, 0, 4)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("side", ["user", "item"])
def test_numbers_that_are_not_finite_are_refused(bad: float, side: str) -> None:
    """A diverged run must not look like a ranking."""
    users, items = np.ones((5, 4), np.float32), np.ones((9, 4), np.float32)
    (users if side == "user" else items)[2, 3] = bad
    nothing = np.zeros(6, dtype=np.int64), np.zeros(0, dtype=np.int32)
    with pytest.raises(DataError, match=f"{side} embeddings must be finite"):
        rank_widths(users, items, (2, 4), *nothing, np.arange(5), 3)


def test_vectors_whose_products_overflow_are_refused() -> None:
    users, items = np.full((1, 4), 1e20, np.float32), np.full((2, 4), 1e20, np.float32)
    nothing = np.zeros(2, dtype=np.int64), np.zeros(0, dtype=np.int32)
    with pytest.raises(DataError, match="beyond the range of float32"):
        rank_widths(users, items, (4,), *nothing, np.array([0]), 1)

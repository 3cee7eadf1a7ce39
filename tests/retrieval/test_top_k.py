"""The fast top-k equals a full sort, with any exclusions and any division of the work."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.errors import OptionError
from nestrec.retrieval import width_scan
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.top_k import top_k

Matrix = npt.NDArray[np.float32]


def check_integers(rng: np.random.Generator, rows: int, size: int) -> Matrix:
    """Small whole numbers: their products are exact in float32 and many scores are equal."""
    return rng.integers(-3, 4, size=(rows, size)).astype(np.float32)


def excluded_sets(rng: np.random.Generator, n_queries: int, n_items: int) -> list[npt.NDArray[np.int32]]:
    """From nothing to everything."""
    sizes = rng.integers(0, n_items + 1, size=n_queries)
    return [np.sort(rng.choice(n_items, size, replace=False)).astype(np.int32) for size in sizes]


def as_exclusions(sets: list[npt.NDArray[np.int32]]) -> ItemLists:
    indptr = np.cumsum([0, *map(len, sets)]).astype(np.int64)
    return ItemLists(indptr, np.concatenate([*sets, np.zeros(0, np.int32)]).astype(np.int32))


def full_sort(
    queries: Matrix,
    vectors: Matrix,
    width: int,
    k: int,
    sets: list[npt.NDArray[np.int32]],
    candidates: npt.NDArray[np.int32],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The plain version: every score in float64, sorted by score and then by item index."""
    scores = queries[:, :width].astype(np.float64) @ vectors[:, :width].astype(np.float64).T
    items = np.full((len(queries), k), -1)
    kept = np.full((len(queries), k), -np.inf)
    for row, excluded in enumerate(sets):
        allowed = np.setdiff1d(candidates, excluded)
        order = allowed[np.lexsort((allowed, -scores[row, allowed]))][:k]
        items[row, : len(order)], kept[row, : len(order)] = order, scores[row, order]
    return items, kept


def check(found: Any, expected: Any) -> None:
    """Compare items and scores."""
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), n_items=st.integers(0, 300), k=st.integers(1, 40), threads=st.integers(1, 3))
def test_every_width_equals_a_full_sort_ties_included(seed: int, n_items: int, k: int, threads: int) -> None:
    rng = np.random.default_rng(seed)
    queries, vectors = check_integers(rng, 5, 11), check_integers(rng, n_items, 11)
    sets = excluded_sets(rng, 5, n_items)
    candidates = np.flatnonzero(rng.random(n_items) < rng.random()).astype(np.int32)
    for width in (1, 4, 7, 11):
        found = top_k(queries, vectors, width, k, candidates=candidates, excluded=as_exclusions(sets), threads=threads)
        check(found, full_sort(queries, vectors, width, k, sets, candidates))


def test_many_tiles_and_chunks_equal_a_full_sort() -> None:
    rng = np.random.default_rng(1)
    n_items = 2 * width_scan._CHUNK + 77
    queries, vectors = check_integers(rng, 9, 6), check_integers(rng, n_items, 6)
    sets = excluded_sets(rng, 9, n_items)
    found = top_k(queries, vectors, 6, 500, excluded=as_exclusions(sets), threads=2)
    check(found, full_sort(queries, vectors, 6, 500, sets, np.arange(n_items, dtype=np.int32)))


def test_many_queries_visit_long_vectors_first_and_still_equal_a_full_sort() -> None:
    """So many queries that the order of visiting is not that of the indices; ties still go by index."""
    rng = np.random.default_rng(7)
    queries, vectors = check_integers(rng, 300, 6), check_integers(rng, 500, 6)
    sets = excluded_sets(rng, 300, 500)
    candidates = np.flatnonzero(rng.random(500) < 0.6).astype(np.int32)
    for width in (2, 6):
        found = top_k(queries, vectors, width, 30, candidates=candidates, excluded=as_exclusions(sets), threads=2)
        check(found, full_sort(queries, vectors, width, 30, sets, candidates))


def test_real_valued_scores_agree_with_float64_to_rounding() -> None:
    rng = np.random.default_rng(2)
    queries = rng.normal(size=(20, 64)).astype(np.float32)
    vectors = rng.normal(size=(1000, 64)).astype(np.float32)
    items, found = top_k(queries, vectors, 64, 15)
    scores = queries.astype(np.float64) @ vectors.astype(np.float64).T
    np.testing.assert_allclose(found, -np.sort(-scores, axis=1)[:, :15], atol=1e-4)
    np.testing.assert_allclose(found, np.take_along_axis(scores, items, 1), atol=1e-4)


def test_equal_vectors_tie_wherever_they_stand() -> None:
    """With a matrix product, the sum's order (and so its last bit) would depend on a column's place."""
    rng = np.random.default_rng(3)
    vectors = np.tile(rng.normal(size=(1, 37)).astype(np.float32), (1000, 1))
    queries = rng.normal(size=(3, 37)).astype(np.float32)
    for cosine in (False, True):
        for width in (5, 37):
            items, scores = top_k(queries, vectors, width, 1000, cosine=cosine)
            np.testing.assert_array_equal(items, np.broadcast_to(np.arange(1000), (3, 1000)))
            assert (scores == scores[:, :1]).all()


def test_a_query_has_the_same_answer_alone_and_among_others() -> None:
    rng = np.random.default_rng(4)
    queries = rng.normal(size=(700, 16)).astype(np.float32)
    vectors = rng.normal(size=(400, 16)).astype(np.float32)
    for width in (8, 16):
        items, scores = top_k(queries, vectors, width, 9, threads=2)
        for row in (0, 511, 699):
            check(top_k(queries[row : row + 1], vectors, width, 9, threads=1), (items[[row]], scores[[row]]))


def test_chosen_rows_are_answered_in_their_order_each_with_its_own_exclusions() -> None:
    rng = np.random.default_rng(6)
    queries, vectors = check_integers(rng, 6, 5), check_integers(rng, 40, 5)
    excluded = as_exclusions(excluded_sets(rng, 6, 40))
    items, scores = top_k(queries, vectors, 5, 7, excluded=excluded)
    rows = np.array([4, 0, 4, 2], dtype=np.int32)
    check(top_k(queries, vectors, 5, 7, rows=rows, excluded=excluded), (items[rows], scores[rows]))


def test_cosine_scales_both_sides_and_gives_a_vector_of_zeros_zero() -> None:
    queries = np.array([[3.0, 4.0]], dtype=np.float32)
    vectors = np.array([[0.0, 0.0], [30.0, 40.0], [-1.0, 0.0]], dtype=np.float32)
    items, scores = top_k(queries, vectors, 2, 3, cosine=True)
    assert items.tolist() == [[1, 0, 2]]
    np.testing.assert_allclose(scores[0], [1.0, 0.0, -0.6], rtol=1e-6)


@pytest.mark.parametrize("n_queries", [1, 300])
def test_nan_is_never_returned(n_queries: int) -> None:
    vectors = np.array([[np.nan], [1.0], [2.0]], dtype=np.float32)
    items, scores = top_k(np.ones((n_queries, 1), dtype=np.float32), vectors, 1, 3)
    assert items.tolist() == [[2, 1, -1]] * n_queries
    assert scores.tolist() == [[2.0, 1.0, -np.inf]] * n_queries


def test_nothing_asked_for_gives_nothing() -> None:
    matrix = np.ones((2, 1), dtype=np.float32)
    assert top_k(matrix, matrix, 1, 0)[0].shape == (2, 0)


@pytest.mark.parametrize("order", ["C", "F"])
def test_views_and_read_only_memory_are_taken_as_they_are(order: Any) -> None:
    vectors = np.asarray(np.random.default_rng(5).normal(size=(50, 8)), dtype=np.float32, order=order)
    expected = top_k(vectors[:4, :3].copy(), vectors[:, :3].copy(), 3, 5)
    vectors.setflags(write=False)
    check(top_k(vectors[:4], vectors, 3, 5), expected)


def test_no_queries_give_no_rows() -> None:
    none = np.zeros((0, 4), dtype=np.float32)
    assert top_k(none, np.ones((3, 4), dtype=np.float32), 4, 7)[0].shape == (0, 7)


def test_a_number_of_threads_below_one_is_refused() -> None:
    matrix = np.ones((1, 1), dtype=np.float32)
    with pytest.raises(OptionError, match="threads must be at least 1, got 0"):
        top_k(matrix, matrix, 1, 1, threads=0)

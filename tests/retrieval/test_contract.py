"""What every retriever keeps to, however it finds its answer. A new one is entered in RETRIEVERS."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, OptionError
from nestrec.export.faiss_index import FaissIndex
from nestrec.export.faiss_kinds import FaissKind, Flat, Hnsw, Ivf
from nestrec.retrieval.build_index import build_index
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.nested_codes import build_codes
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.retriever import Retriever
from nestrec.svd_rotation import svd_rotation
from nestrec.widths import Widths

from .worlds import Vectors, check_integers, exclusions, falling_spectrum, full_sort, rows_of

SIZE = 13
N_ITEMS = 1_000


def exact(
    storage: Storage, width: int, rotate: bool = False, clusters: int = 0, rows: int = 0
) -> Callable[[Vectors], Retriever]:
    def build(vectors: Vectors) -> Retriever:
        rotation = svd_rotation(vectors.queries, vectors.items, invertible=True) if rotate else None
        groups = Clusters(clusters, width=3) if clusters else None
        index = build_index(
            vectors.items, SIZE, width, storage, rotation=rotation, clusters=groups, refinement_width=rows
        )
        return Exact(vectors.items, index)

    return build


def funnel(storage: Storage, clusters: int = 0, rotate: bool = False, rows: int = 0) -> Callable[[Vectors], Retriever]:
    """A funnel whose shortlists hold everything, so that its answer is exact."""

    def build(vectors: Vectors) -> Retriever:
        rotation = svd_rotation(vectors.queries, vectors.items, invertible=True) if rotate else None
        groups = Clusters(clusters, width=3) if clusters else None
        index = build_index(vectors.items, SIZE, 4, storage, rotation=rotation, clusters=groups, refinement_width=rows)
        return Funnel(vectors.items, index, len(vectors.items), (Stage(rows or 8, len(vectors.items)),))

    return build


def by_codes(*widths: int) -> Callable[[Vectors], Retriever]:
    """Nested codes of vectors with dimensions beyond those that are searched, if the last width is greater."""

    def build(vectors: Vectors) -> Retriever:
        n_more = max(widths) - SIZE
        more = np.random.default_rng(8).normal(size=(len(vectors.items), n_more)).astype(np.float32)
        items = np.hstack([vectors.items, more])
        return Exact(items, build_codes(items, Widths(widths)).indexes[SIZE])

    return build


def by_faiss(kind: FaissKind, width: int) -> Callable[[Vectors], Retriever]:
    """An index that proposes everything."""

    def build(vectors: Vectors) -> Retriever:
        nobody = np.zeros((1, SIZE), dtype=np.float32)
        model = NestedEmbeddings.from_arrays(nobody, vectors.items, (width, SIZE) if width < SIZE else (SIZE,))
        return FaissIndex.build(model, kind, width=width, shortlist=len(vectors.items))

    return build


RETRIEVERS: dict[str, Callable[[Vectors], Retriever]] = {
    "full scan": lambda vectors: FullScan(vectors.items, SIZE),
    "exact, int8": exact(Storage.INT8, SIZE),
    "exact, bf16": exact(Storage.BF16, SIZE),
    "exact, float32": exact(Storage.FLOAT32, SIZE),
    "exact funnel, float32": exact(Storage.FLOAT32, 5),
    "exact funnel, bf16": exact(Storage.BF16, 5),
    "exact funnel, int8": exact(Storage.INT8, 5),
    "exact funnel, int8, rotated": exact(Storage.INT8, 7, rotate=True),
    "exact, int8, clusters": exact(Storage.INT8, SIZE, clusters=9),
    "exact funnel, float32, clusters, rotated": exact(Storage.FLOAT32, 5, rotate=True, clusters=9),
    "exact funnel, int8, refinement": exact(Storage.INT8, 5, rows=SIZE),
    "exact funnel, int8, refinement of half, rotated": exact(Storage.INT8, 3, rotate=True, rows=7),
    "exact funnel, float32, clusters, refinement": exact(Storage.FLOAT32, 5, clusters=9, rows=SIZE),
    "exact, nested codes": by_codes(3, 8, SIZE),
    "exact, nested codes of a prefix": by_codes(4, SIZE, 24),
    "funnel, float32": funnel(Storage.FLOAT32),
    "funnel, int8": funnel(Storage.INT8),
    "funnel, bf16, rotated": funnel(Storage.BF16, rotate=True),
    "funnel, int8, clusters": funnel(Storage.INT8, clusters=9),
    "funnel, int8, refinement": funnel(Storage.INT8, rows=SIZE),
    "funnel, bf16, refinement of half, rotated": funnel(Storage.BF16, rotate=True, rows=7),
    "faiss, prefix and refine": by_faiss(Flat(), 5),
    "faiss, IVF": by_faiss(Ivf(n_lists=7, n_probes=7), SIZE),
    "faiss, HNSW": by_faiss(Hnsw(neighbours=48, build_effort=300), SIZE),
}
FEW_AND_MANY = (1, 30)  # queries that are answered one by one, and in groups


@pytest.fixture(params=RETRIEVERS)
def build(request: pytest.FixtureRequest) -> Callable[[Vectors], Retriever]:
    return RETRIEVERS[request.param]


def check(found: Any, expected: Any) -> None:
    np.testing.assert_array_equal(found.ids, expected.ids)
    np.testing.assert_array_equal(found.scores, expected.scores)
    assert found.ids.dtype == np.int32
    assert found.scores.dtype == np.float32


@pytest.mark.parametrize("n_queries", FEW_AND_MANY)
@pytest.mark.parametrize("k", [1, 10])
def test_it_equals_a_full_sort_in_float64_and_ties_go_to_the_lower_index(
    build: Callable[[Vectors], Retriever], n_queries: int, k: int
) -> None:
    vectors = check_integers(n_queries, N_ITEMS, SIZE)
    check(build(vectors).search(vectors.queries, k, threads=2), full_sort(vectors, k))


def test_real_numbers_have_the_very_bits_of_a_full_scan(build: Callable[[Vectors], Retriever]) -> None:
    vectors = falling_spectrum(30, N_ITEMS, SIZE)
    plain = FullScan(vectors.items, SIZE).search(vectors.queries, 12)
    found = build(vectors).search(vectors.queries, 12)
    check(found, plain)
    expected = full_sort(vectors, 12)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-5)


@pytest.mark.parametrize("n_queries", FEW_AND_MANY)
def test_what_is_excluded_denied_or_not_allowed_is_never_returned(
    build: Callable[[Vectors], Retriever], n_queries: int
) -> None:
    vectors = check_integers(n_queries, N_ITEMS, SIZE, seed=1)
    rng = np.random.default_rng(2)
    rows = rows_of(rng, max(2, n_queries), N_ITEMS)[:n_queries]
    allow = rng.choice(N_ITEMS, 700, replace=False)
    deny = rng.choice(N_ITEMS, 200, replace=False)
    found = build(vectors).search(vectors.queries, 8, exclusions(rows), allow=allow, deny=deny, threads=2)
    check(found, full_sort(vectors, 8, rows, np.setdiff1d(allow, deny)))


@pytest.mark.parametrize("n_queries", FEW_AND_MANY)
def test_lists_of_single_queries_restrict_each_to_its_own(
    build: Callable[[Vectors], Retriever], n_queries: int
) -> None:
    vectors = check_integers(n_queries, N_ITEMS, SIZE, seed=5)
    rng = np.random.default_rng(6)
    seen, own = (rows_of(rng, max(2, n_queries), N_ITEMS)[:n_queries] for _ in range(2))
    allow = rng.choice(N_ITEMS, 700, replace=False)
    retriever = build(vectors)
    found = retriever.search(vectors.queries, 8, exclusions(seen), allow=allow, lists=exclusions(own), threads=2)
    left = [np.setdiff1d(np.intersect1d(row, allow), gone) for row, gone in zip(own, seen, strict=True)]
    excluded = [np.setdiff1d(np.arange(N_ITEMS), row).astype(np.int32) for row in left]
    check(found, full_sort(vectors, 8, excluded))


def test_lists_of_single_queries_give_the_very_bits_of_a_full_scan(build: Callable[[Vectors], Retriever]) -> None:
    vectors = falling_spectrum(30, N_ITEMS, SIZE)
    plain = FullScan(vectors.items, SIZE).search(vectors.queries, 12)
    own = [np.sort(row)[::-1].astype(np.int32) for row in plain.ids]
    check(build(vectors).search(vectors.queries, 12, lists=exclusions(own)), plain)


def test_a_k_larger_than_what_is_left_returns_what_is_left(build: Callable[[Vectors], Retriever]) -> None:
    vectors = check_integers(3, 70, SIZE)
    rows = [np.arange(67, dtype=np.int32), np.arange(70, dtype=np.int32), np.zeros(0, dtype=np.int32)]
    found = build(vectors).search(vectors.queries, 100, exclusions(rows))
    check(found, full_sort(vectors, 100, rows))
    assert (found.ids >= 0).sum(axis=1).tolist() == [3, 0, 70]


def test_an_empty_allow_list_leaves_nothing(build: Callable[[Vectors], Retriever]) -> None:
    vectors = check_integers(2, 200, SIZE)
    found = build(vectors).search(vectors.queries, 3, allow=[])
    assert found.ids.tolist() == [[-1] * 3] * 2
    assert (found.scores == -np.inf).all()


def test_empty_exclusions_change_nothing(build: Callable[[Vectors], Retriever]) -> None:
    vectors = check_integers(20, 300, SIZE)
    retriever = build(vectors)
    nothing = ItemLists(np.zeros(21, dtype=np.int64), np.zeros(0, dtype=np.int32))
    check(retriever.search(vectors.queries, 5, nothing), retriever.search(vectors.queries, 5))


def test_equal_vectors_tie_in_the_order_of_their_indices(build: Callable[[Vectors], Retriever]) -> None:
    rng = np.random.default_rng(3)
    same = np.tile(rng.normal(size=(1, SIZE)).astype(np.float32), (500, 1))
    vectors = Vectors(rng.normal(size=(20, SIZE)).astype(np.float32), same)
    found = build(vectors).search(vectors.queries, 9)
    assert found.ids.tolist() == [list(range(9))] * 20


def test_the_number_of_threads_does_not_change_the_answer(build: Callable[[Vectors], Retriever]) -> None:
    vectors = falling_spectrum(45, N_ITEMS, SIZE, seed=4)
    retriever = build(vectors)
    check(retriever.search(vectors.queries, 7, threads=3), retriever.search(vectors.queries, 7, threads=1))


def test_zeros_are_vectors_too(build: Callable[[Vectors], Retriever]) -> None:
    """A query of zeros scores all alike, items of zeros score 0."""
    vectors = check_integers(12, 300, SIZE, seed=5)
    vectors.queries[3] = 0.0
    vectors.items[100:200] = 0.0
    check(build(vectors).search(vectors.queries, 6), full_sort(vectors, 6))


def test_numbers_that_are_not_finite_are_refused(build: Callable[[Vectors], Retriever]) -> None:
    vectors = check_integers(3, 100, SIZE)
    retriever = build(vectors)
    for bad in (np.nan, np.inf):
        queries = vectors.queries.copy()
        queries[1, 2] = bad
        with pytest.raises(DataError, match=r"must be finite.*query 1"):
            retriever.search(queries, 3)


def test_what_does_not_fit_is_refused_with_the_rule(build: Callable[[Vectors], Retriever]) -> None:
    vectors = check_integers(3, 100, SIZE)
    retriever = build(vectors)
    with pytest.raises(OptionError, match=r"k must be 1 or more.*0"):
        retriever.search(vectors.queries, 0)
    with pytest.raises(OptionError, match="13 dimensions"):
        retriever.search(vectors.queries[:, :5], 3)
    with pytest.raises(OptionError, match="from 0 to 99"):
        retriever.search(vectors.queries, 3, deny=[100])
    with pytest.raises(OptionError, match="3 queries"):
        retriever.search(vectors.queries, 3, exclusions([np.zeros(1, dtype=np.int32)]))


def test_no_queries_have_no_answers(build: Callable[[Vectors], Retriever]) -> None:
    vectors = check_integers(2, 100, SIZE)
    assert build(vectors).search(vectors.queries[:0], 3).ids.shape == (0, 3)


def test_it_says_what_it_holds_and_what_it_did(build: Callable[[Vectors], Retriever]) -> None:
    vectors = falling_spectrum(20, 600, SIZE)
    retriever = build(vectors)
    work = retriever.search(vectors.queries, 3).work
    assert retriever.n_items == 600
    assert retriever.nbytes >= 0
    assert work.possible == 20 * 600
    assert 0.0 <= work.pruned <= 1.0

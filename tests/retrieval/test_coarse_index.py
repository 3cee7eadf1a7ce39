"""Bounds of a coarse index hold, its estimates are close, and searches keep the candidates they should."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.kernels.search.selection import decode_items, decode_scores, encode_keys
from nestrec.retrieval import coarse_candidates
from nestrec.retrieval.build_index import build_index
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_candidates import Candidates, ScanOptions
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import scan_coarsely
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.request import validate_request
from nestrec.svd_rotation import Rotation, svd_rotation

from .worlds import Matrix, Vectors, check_integers, exclusions, falling_spectrum, full_sort, rows_of

SIZE = 24


def estimates(index: CoarseIndex, queries: Matrix, *, exact: bool) -> Matrix:
    """Return the bounds or estimates of all pairs, (n_queries, n_items)."""
    request = validate_request(queries, 1, None, None, None, n_items=index.n_items, width=index.full_width)
    scores_found = np.full((len(queries), index.n_items), np.nan, dtype=np.float32)

    def collect(some: slice, candidates: Candidates) -> None:
        for row, keys, count in zip(range(some.start, some.stop), candidates.keys, candidates.counts, strict=True):
            scores_found[row, decode_items(keys[:count])] = decode_scores(keys[:count])

    scan_coarsely(index, request, ScanOptions(index.n_items, exact, 1), collect, threads=1)
    return scores_found


def rotation_to(items: Matrix) -> Rotation:
    """Return the rotation of queries like those of the tests and of these items."""
    return svd_rotation(falling_spectrum(200, 1, SIZE, seed=9).queries, items, invertible=True)


@pytest.mark.parametrize("n_queries", [1, 30])
@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("width", [5, SIZE])
@pytest.mark.parametrize("storage", Storage)
def test_no_score_is_above_its_bound_and_the_bound_is_near(
    storage: Storage, width: int, rotated: bool, n_queries: int
) -> None:
    vectors = falling_spectrum(n_queries, 500, SIZE)
    rotation = (
        svd_rotation(falling_spectrum(200, 1, SIZE, seed=9).queries, vectors.items, invertible=True)
        if rotated
        else None
    )
    index = build_index(vectors.items, SIZE, width, storage, rotation=rotation)
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    bounds, scores_found = (estimates(index, vectors.queries, exact=exact) for exact in (True, False))
    assert (bounds >= scores).all()
    assert (bounds >= scores_found).all()
    if width == SIZE:
        lengths = np.linalg.norm(vectors.queries, axis=1)[:, np.newaxis] * np.linalg.norm(vectors.items, axis=1).max()
        assert (bounds - scores).max() < 0.05 * lengths.max()


@pytest.mark.parametrize("rotated", [False, True])
@pytest.mark.parametrize("width", [9, SIZE])
def test_no_score_is_above_its_refined_bound_which_is_closer(width: int, rotated: bool) -> None:
    vectors = falling_spectrum(30, 500, SIZE)
    rotation = (
        svd_rotation(falling_spectrum(200, 1, SIZE, seed=9).queries, vectors.items, invertible=True)
        if rotated
        else None
    )
    index = build_index(vectors.items, SIZE, 5, rotation=rotation, refinement_width=width)
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    keys = np.stack([encode_keys(np.zeros(500, np.float32), np.arange(500)) for _ in vectors.queries])
    bounds, scores_found = keys.copy(), keys.copy()
    counts = np.full(30, 500)
    index.refine(bounds, counts, vectors.queries, exact=True)
    index.refine(scores_found, counts, vectors.queries, exact=False)
    np.testing.assert_array_equal(decode_items(bounds), decode_items(keys))
    assert (decode_scores(bounds) >= scores).all()
    assert (bounds >= scores_found).all()
    assert (decode_scores(bounds) - scores).mean() < 0.7 * (
        estimates(index, vectors.queries, exact=True) - scores
    ).mean()
    if width == SIZE:
        assert np.abs(decode_scores(scores_found) - scores).max() < 0.02 * np.abs(scores).max()


def test_a_shortlist_is_narrowed_by_rows() -> None:
    """The rows of the full width let through what the full width wants, so few vectors are read."""
    vectors = falling_spectrum(20, 2_000, SIZE)
    index = build_index(vectors.items, SIZE, 4, refinement_width=SIZE)
    plain = Funnel(vectors.items, index, 300).search(vectors.queries, 10)
    found = Funnel(vectors.items, index, 300, (Stage(SIZE, 20),)).search(vectors.queries, 10)
    np.testing.assert_array_equal(found.ids, plain.ids)
    np.testing.assert_array_equal(found.scores, plain.scores)
    assert (plain.work.reranked, found.work.reranked) == (20 * 300, 20 * 20)


def test_a_proof_by_rows_reads_fewer_vectors() -> None:
    vectors = falling_spectrum(20, 8_000, SIZE, power=0.6)
    bare, rowed = (
        Exact(vectors.items, build_index(vectors.items, SIZE, 8, refinement_width=rows)) for rows in (0, SIZE)
    )
    one, other = bare.search(vectors.queries, 10), rowed.search(vectors.queries, 10)
    np.testing.assert_array_equal(one.ids, other.ids)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert other.work.reranked < 0.5 * one.work.reranked


def test_float32_estimates_of_a_prefix_are_its_scores() -> None:
    vectors = check_integers(9, 200, SIZE)
    index = build_index(vectors.items, SIZE, 7, Storage.FLOAT32)
    expected = vectors.queries[:, :7] @ vectors.items[:, :7].T
    np.testing.assert_array_equal(estimates(index, vectors.queries, exact=False), expected)


def test_no_score_of_a_cell_is_above_its_bound() -> None:
    vectors = falling_spectrum(20, 2_000, SIZE)
    rotation = svd_rotation(vectors.queries, vectors.items, invertible=True)
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    for clusters, turn in ((None, None), (Clusters(30, width=3), None), (Clusters(30, width=3), rotation)):
        index = build_index(vectors.items, SIZE, 8, rotation=turn, clusters=clusters)
        for row, query in enumerate(vectors.queries):
            length = float(np.linalg.norm(query.astype(np.float64)))
            bounds = index.cells.upper_bounds(index.rotate(query[np.newaxis])[0], length)
            for begin, end, bound in zip(index.cells.begins, index.cells.ends, bounds, strict=True):
                items = index.blocks.items[begin * BLOCK : end * BLOCK]
                assert scores[row, items[items >= 0]].max() <= bound * (1 + 1e-9)


def test_clusters_exclude_some_items_without_scoring_them() -> None:
    """Two far groups: a query along one never scores the other."""
    rng = np.random.default_rng(0)
    middle = np.where(np.arange(4_000)[:, np.newaxis] < 2_000, 10.0, -10.0)
    items = (middle + rng.normal(size=(4_000, 3))).astype(np.float32)
    exact = Exact(items, build_index(items, 3, 3, clusters=Clusters(8, width=3)))
    work = exact.search(np.ones((1, 3), dtype=np.float32), 5).work
    assert work.scanned <= 2_000 + 8 * BLOCK
    assert work.pruned > 0.9


def test_a_prefix_of_few_bytes_prunes_nearly_all_where_the_spectrum_falls() -> None:
    vectors = falling_spectrum(50, 20_000, SIZE, power=1.5)
    funnel = Exact(vectors.items, build_index(vectors.items, SIZE, 8))
    work = funnel.search(vectors.queries, 10).work
    assert work.pruned > 0.98


def test_a_block_of_small_norms_is_skipped() -> None:
    vectors = falling_spectrum(16, 20_000, SIZE)
    vectors.items[200:] *= 0.01
    work = Exact(vectors.items, build_index(vectors.items, SIZE, SIZE)).search(vectors.queries, 10).work
    assert work.scanned < 0.3 * work.possible


def test_what_did_not_suffice_is_found_by_keeping_more() -> None:
    """All bounds alike: nothing is certain until all is scored."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(9_000, 16)).astype(np.float32)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    vectors = Vectors(rng.normal(size=(5, 16)).astype(np.float32), items)
    funnel = Exact(items, build_index(items, 16, 2), n_candidates=40)
    found = funnel.search(vectors.queries, 5)
    scores = vectors.queries.astype(np.float64) @ items.astype(np.float64).T
    np.testing.assert_array_equal(found.ids, np.argsort(-scores, axis=1)[:, :5])
    assert found.work.reranked > 5 * 9_000 * 0.5


def test_a_share_of_the_blocks_bounds_what_is_scored() -> None:
    vectors = falling_spectrum(3, 6_400, SIZE)
    index = build_index(vectors.items, SIZE, 8, clusters=Clusters(20))
    work = Funnel(vectors.items, index, 200, share=0.1).search(vectors.queries, 10, threads=1).work
    cell = int((index.cells.ends - index.cells.begins).max())
    assert work.scanned <= 3 * BLOCK * (0.1 * len(index.blocks.scales) + cell + 1)
    assert work.reranked <= 3 * 200


def test_a_shortlist_is_narrowed_width_by_width() -> None:
    vectors = falling_spectrum(20, 2_000, SIZE)
    index = build_index(vectors.items, SIZE, 4, Storage.FLOAT32)
    found = Funnel(vectors.items, index, 300, (Stage(12, 40),)).search(vectors.queries, 10)
    for row, query in enumerate(vectors.queries.astype(np.float64)):
        left = np.arange(2_000)
        for width, candidates in ((4, 300), (12, 40), (SIZE, 10)):
            scores = vectors.items[left, :width].astype(np.float64) @ query[:width]
            left = left[np.argsort(-scores, kind="stable")[:candidates]]
        assert found.ids[row].tolist() == left.tolist()
    assert found.work.reranked == 20 * 40


def test_bytes_are_those_of_the_storage() -> None:
    items = falling_spectrum(1, 6_400, 32).items
    sizes = {storage: len(build_index(items, 32, 32, storage).blocks.codes.tobytes()) for storage in Storage}
    assert sizes == {storage: 6_400 * 32 * np.dtype(storage.dtype).itemsize for storage in Storage}


def test_items_that_are_not_finite_are_refused() -> None:
    items = np.ones((5, 3), dtype=np.float32)
    items[3, 1] = np.nan
    with pytest.raises(DataError, match=r"must be finite.*item 3"):
        build_index(items, 3, 2)


def test_sizes_of_a_funnel_are_checked() -> None:
    vectors = falling_spectrum(1, 100, SIZE)
    index = build_index(vectors.items, SIZE, 4)
    with pytest.raises(OptionError, match="widths of stages must ascend"):
        Funnel(vectors.items, index, 10, (Stage(12, 5), Stage(8, 5)))
    with pytest.raises(OptionError, match="shortlists must be 1 or more, got 0"):
        Funnel(vectors.items, index, 0)
    with pytest.raises(OptionError, match="share must be above 0"):
        Funnel(vectors.items, index, 5, share=0.0)
    with pytest.raises(OptionError, match="must be 1 or more, got 0"):
        Clusters(0)


@pytest.mark.parametrize("rows", [0, 10])
@pytest.mark.parametrize("clusters", [None, Clusters(5)])
@pytest.mark.parametrize("rotated", [False, True])
def test_an_index_is_restored_from_its_arrays(clusters: Clusters | None, rotated: bool, rows: int) -> None:
    vectors = falling_spectrum(9, 700, SIZE)
    rotation: Rotation | None = svd_rotation(vectors.queries, vectors.items, invertible=True) if rotated else None
    index = build_index(vectors.items, SIZE, 6, rotation=rotation, clusters=clusters, refinement_width=rows)
    again = CoarseIndex.from_arrays(index.arrays(), index.describe())
    for one, other in zip(
        Exact(vectors.items, index).search(vectors.queries, 4),
        Exact(vectors.items, again).search(vectors.queries, 4),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ModelFileError, match="codes must be int8"):
        CoarseIndex.from_arrays(index.arrays(), {**index.describe(), "width": 9})
    if rows:
        with pytest.raises(ModelFileError, match="refinement_codes must be int8"):
            CoarseIndex.from_arrays(index.arrays(), {**index.describe(), "refinement_width": SIZE})


@pytest.mark.parametrize("n_queries", [1, 30])
@pytest.mark.parametrize("width", [6, SIZE])
def test_beginning_above_a_sample_changes_no_answer(
    monkeypatch: pytest.MonkeyPatch, n_queries: int, width: int
) -> None:
    """Large catalogues begin above what a sample shows; here small ones do too."""
    monkeypatch.setattr(coarse_candidates, "_LEAST_SAMPLE", 1)
    vectors = check_integers(n_queries, 5_000, SIZE)
    rows = rows_of(np.random.default_rng(3), max(2, n_queries), 5_000)[:n_queries]
    index = build_index(vectors.items, SIZE, width)
    expected = full_sort(vectors, 20, rows)
    found = Exact(vectors.items, index).search(vectors.queries, 20, exclusions(rows))
    np.testing.assert_array_equal(found.ids, expected.ids)
    everything = Funnel(vectors.items, index, 5_000).search(vectors.queries, 20, exclusions(rows))
    np.testing.assert_array_equal(everything.ids, expected.ids)


@pytest.mark.parametrize("n_queries", [1, 30])
def test_a_sample_that_misleads_leaves_nobody_with_too_little(monkeypatch: pytest.MonkeyPatch, n_queries: int) -> None:
    """All good items are in the sampled block, so its threshold is too high for the others."""
    monkeypatch.setattr(coarse_candidates, "_LEAST_SAMPLE", 1)
    items = np.ones((BLOCK * 16, SIZE), dtype=np.float32)
    items[:, 1:] = 0.0
    index = build_index(items, SIZE, SIZE)  # all of one norm: in the order of their indices
    good = slice(BLOCK * (coarse_candidates.SAMPLE_EVERY // 2), BLOCK * (coarse_candidates.SAMPLE_EVERY // 2 + 1))
    items[:, 1], items[good, 1] = -np.arange(len(items)) / 1e4, 0.1
    queries = np.zeros((n_queries, SIZE), dtype=np.float32)
    queries[:, :2] = 1.0
    positions = np.arange(len(items), dtype=np.int32)
    blocks = build_index(items, SIZE, SIZE).blocks
    standing = blocks._replace(items=positions, codes=_in_order(items), scales=np.full_like(blocks.scales, 1.0))
    misled = dataclasses.replace(index, blocks=standing, storage=Storage.FLOAT32)
    found = Funnel(items, misled, 100).search(queries, 100).ids
    assert (found >= 0).all()


def _in_order(items: Matrix) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(items.reshape(-1, BLOCK, SIZE).transpose(0, 2, 1)).ravel()


def test_a_sample_saves_offers() -> None:
    vectors = falling_spectrum(16, 40_000, SIZE)
    index = build_index(vectors.items, SIZE, SIZE)
    request = validate_request(vectors.queries, 10, None, None, None, n_items=40_000, width=SIZE)
    counts: list[int] = []
    scan_coarsely(
        index,
        request,
        ScanOptions(200, True, 10),
        lambda _, candidates: counts.extend(candidates.counts.tolist()),
        threads=1,
    )
    assert min(counts) >= 10
    assert np.mean(counts) < 500


def test_products_beyond_float32_are_refused() -> None:
    items = np.full((4_000, 2), 1e20, dtype=np.float32)  # so many that the index is used
    exact = Exact(items, build_index(items, 2, 2))
    with pytest.raises(DataError, match="within the range of 32-bit floats"):
        exact.search(np.full((1, 2), 1e20, dtype=np.float32), 3)


@pytest.mark.parametrize("n_queries", [3, 30])
@pytest.mark.parametrize("storage", Storage)
def test_products_too_small_for_float32_do_not_hide_the_best(storage: Storage, n_queries: int) -> None:
    """Bounds of scores near 1e-44 were rounded to 0, below the scores, and a wrong answer passed for proven."""
    vectors = falling_spectrum(n_queries, 3_000, SIZE)
    queries, items = (side * np.float32(1e-22) for side in vectors)
    found = Exact(items, build_index(items, SIZE, SIZE, storage)).search(queries, 10)
    np.testing.assert_array_equal(found.ids, FullScan(items, SIZE).search(queries, 10).ids)

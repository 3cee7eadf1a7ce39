"""A screen's bounds hold, its estimates are close, and what is kept of the items is what was said."""

from __future__ import annotations

import dataclasses

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.kernels.search.code_blocks import SHELF
from nestrec.kernels.search.selection import items_of, keys_of, scores_of
from nestrec.retrieval import coarse_scan as screening
from nestrec.retrieval.build_index import build_screen
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import Kept, Walk, walked
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.request import request
from nestrec.svd_rotation import Rotation, svd_rotation

from .worlds import Matrix, Vectors, exclusions, falling_spectrum, full_sort, rows_of, whole_numbers

SIZE = 24


def estimates(screen: CoarseIndex, queries: Matrix, *, exact: bool) -> Matrix:
    """Return what the screen says of every pair, (n_queries, n_items)."""
    asked = request(queries, 1, None, None, None, n_items=screen.n_items, width=screen.full_width)
    said = np.full((len(queries), screen.n_items), np.nan, dtype=np.float32)

    def finish(some: slice, kept: Kept) -> None:
        for row, keys, count in zip(range(some.start, some.stop), kept.keys, kept.counts, strict=True):
            said[row, items_of(keys[:count])] = scores_of(keys[:count])

    walked(screen, asked, Walk(screen.n_items, exact, 1), finish, threads=1)
    return said


@pytest.mark.parametrize("n_queries", [1, 30])
@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [5, SIZE])
@pytest.mark.parametrize("storage", Storage)
def test_no_score_is_above_its_bound_and_the_bound_is_near(
    storage: Storage, width: int, turned: bool, n_queries: int
) -> None:
    vectors = falling_spectrum(n_queries, 500, SIZE)
    axes = (
        svd_rotation(falling_spectrum(200, 1, SIZE, seed=9).queries, vectors.items, invertible=True) if turned else None
    )
    screen = build_screen(vectors.items, SIZE, width, storage, axes=axes)
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    bounds, said = (estimates(screen, vectors.queries, exact=exact) for exact in (True, False))
    assert (bounds >= scores).all()
    assert (bounds >= said).all()
    if width == SIZE:
        lengths = np.linalg.norm(vectors.queries, axis=1)[:, np.newaxis] * np.linalg.norm(vectors.items, axis=1).max()
        assert (bounds - scores).max() < 0.05 * lengths.max()


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("width", [9, SIZE])
def test_no_score_is_above_its_bound_by_a_row_and_that_is_nearer_than_a_shelf_s(width: int, turned: bool) -> None:
    vectors = falling_spectrum(30, 500, SIZE)
    axes = (
        svd_rotation(falling_spectrum(200, 1, SIZE, seed=9).queries, vectors.items, invertible=True) if turned else None
    )
    screen = build_screen(vectors.items, SIZE, 5, axes=axes, rows=width)
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    keys = np.stack([keys_of(np.zeros(500, np.float32), np.arange(500)) for _ in vectors.queries])
    bounds, said = keys.copy(), keys.copy()
    counts = np.full(30, 500)
    screen.refine(bounds, counts, vectors.queries, exact=True)
    screen.refine(said, counts, vectors.queries, exact=False)
    np.testing.assert_array_equal(items_of(bounds), items_of(keys))
    assert (scores_of(bounds) >= scores).all()
    assert (bounds >= said).all()
    assert (scores_of(bounds) - scores).mean() < 0.7 * (estimates(screen, vectors.queries, exact=True) - scores).mean()
    if width == SIZE:
        assert np.abs(scores_of(said) - scores).max() < 0.02 * np.abs(scores).max()


def test_a_shortlist_is_narrowed_by_rows() -> None:
    """The rows of the full width let through what the full width wants, so few vectors are read."""
    vectors = falling_spectrum(20, 2_000, SIZE)
    screen = build_screen(vectors.items, SIZE, 4, rows=SIZE)
    plain = Funnel(vectors.items, screen, 300).search(vectors.queries, 10)
    found = Funnel(vectors.items, screen, 300, (Stage(SIZE, 20),)).search(vectors.queries, 10)
    np.testing.assert_array_equal(found.items, plain.items)
    np.testing.assert_array_equal(found.scores, plain.scores)
    assert (plain.work.rescored, found.work.rescored) == (20 * 300, 20 * 20)


def test_a_proof_by_rows_reads_fewer_vectors() -> None:
    vectors = falling_spectrum(20, 8_000, SIZE, power=0.6)
    bare, rowed = (Exact(vectors.items, build_screen(vectors.items, SIZE, 8, rows=rows)) for rows in (0, SIZE))
    one, other = bare.search(vectors.queries, 10), rowed.search(vectors.queries, 10)
    np.testing.assert_array_equal(one.items, other.items)
    np.testing.assert_array_equal(one.scores, other.scores)
    assert other.work.rescored < 0.5 * one.work.rescored


def test_float32_estimates_of_a_prefix_are_its_scores() -> None:
    vectors = whole_numbers(9, 200, SIZE)
    screen = build_screen(vectors.items, SIZE, 7, Storage.FLOAT32)
    expected = vectors.queries[:, :7] @ vectors.items[:, :7].T
    np.testing.assert_array_equal(estimates(screen, vectors.queries, exact=False), expected)


def test_no_score_of_a_cell_is_above_its_bound() -> None:
    vectors = falling_spectrum(20, 2_000, SIZE)
    axes = svd_rotation(vectors.queries, vectors.items, invertible=True)
    scores = vectors.queries.astype(np.float64) @ vectors.items.astype(np.float64).T
    for clusters, turn in ((None, None), (Clusters(30, width=3), None), (Clusters(30, width=3), axes)):
        screen = build_screen(vectors.items, SIZE, 8, axes=turn, clusters=clusters)
        for row, query in enumerate(vectors.queries):
            length = float(np.linalg.norm(query.astype(np.float64)))
            bounds = screen.cells.bounds(screen.rotate(query[np.newaxis])[0], length)
            for begin, end, bound in zip(screen.cells.begins, screen.cells.ends, bounds, strict=True):
                names = screen.shelves.names[begin * SHELF : end * SHELF]
                assert scores[row, names[names >= 0]].max() <= bound * (1 + 1e-9)


def test_clusters_tell_some_items_apart_without_scoring_them() -> None:
    """Two far groups: a query along one never scores the other."""
    rng = np.random.default_rng(0)
    middle = np.where(np.arange(4_000)[:, np.newaxis] < 2_000, 10.0, -10.0)
    items = (middle + rng.normal(size=(4_000, 3))).astype(np.float32)
    exact = Exact(items, build_screen(items, 3, 3, clusters=Clusters(8, width=3)))
    work = exact.search(np.ones((1, 3), dtype=np.float32), 5).work
    assert work.screened <= 2_000 + 8 * SHELF
    assert work.pruned > 0.9


def test_a_prefix_of_few_bytes_prunes_nearly_all_where_the_spectrum_falls() -> None:
    vectors = falling_spectrum(50, 20_000, SIZE, power=1.5)
    funnel = Exact(vectors.items, build_screen(vectors.items, SIZE, 8))
    work = funnel.search(vectors.queries, 10).work
    assert work.pruned > 0.98


def test_a_shelf_of_short_items_is_passed_over() -> None:
    vectors = falling_spectrum(16, 20_000, SIZE)
    vectors.items[200:] *= 0.01
    work = Exact(vectors.items, build_screen(vectors.items, SIZE, SIZE)).search(vectors.queries, 10).work
    assert work.screened < 0.3 * work.possible


def test_what_did_not_suffice_is_found_by_keeping_more() -> None:
    """All bounds alike: nothing is certain until all is scored."""
    rng = np.random.default_rng(0)
    items = rng.normal(size=(9_000, 16)).astype(np.float32)
    items /= np.linalg.norm(items, axis=1, keepdims=True)
    vectors = Vectors(rng.normal(size=(5, 16)).astype(np.float32), items)
    funnel = Exact(items, build_screen(items, 16, 2), n_kept=40)
    found = funnel.search(vectors.queries, 5)
    scores = vectors.queries.astype(np.float64) @ items.astype(np.float64).T
    np.testing.assert_array_equal(found.items, np.argsort(-scores, axis=1)[:, :5])
    assert found.work.rescored > 5 * 9_000 * 0.5


def test_a_share_of_the_shelves_bounds_what_is_scored() -> None:
    vectors = falling_spectrum(3, 6_400, SIZE)
    screen = build_screen(vectors.items, SIZE, 8, clusters=Clusters(20))
    work = Funnel(vectors.items, screen, 200, share=0.1).search(vectors.queries, 10, threads=1).work
    cell = int((screen.cells.ends - screen.cells.begins).max())
    assert work.screened <= 3 * SHELF * (0.1 * len(screen.shelves.scales) + cell + 1)
    assert work.rescored <= 3 * 200


def test_a_shortlist_is_narrowed_width_by_width() -> None:
    vectors = falling_spectrum(20, 2_000, SIZE)
    screen = build_screen(vectors.items, SIZE, 4, Storage.FLOAT32)
    found = Funnel(vectors.items, screen, 300, (Stage(12, 40),)).search(vectors.queries, 10)
    for row, query in enumerate(vectors.queries.astype(np.float64)):
        left = np.arange(2_000)
        for width, kept in ((4, 300), (12, 40), (SIZE, 10)):
            scores = vectors.items[left, :width].astype(np.float64) @ query[:width]
            left = left[np.argsort(-scores, kind="stable")[:kept]]
        assert found.items[row].tolist() == left.tolist()
    assert found.work.rescored == 20 * 40


def test_bytes_are_those_of_the_storage() -> None:
    items = falling_spectrum(1, 6_400, 32).items
    sizes = {storage: len(build_screen(items, 32, 32, storage).shelves.codes.tobytes()) for storage in Storage}
    assert sizes == {storage: 6_400 * 32 * storage.bytes for storage in Storage}


def test_items_that_are_not_finite_are_refused() -> None:
    items = np.ones((5, 3), dtype=np.float32)
    items[3, 1] = np.nan
    with pytest.raises(DataError, match="item 3 holds a number that is not finite"):
        build_screen(items, 3, 2)


def test_sizes_of_a_funnel_are_checked() -> None:
    vectors = falling_spectrum(1, 100, SIZE)
    screen = build_screen(vectors.items, SIZE, 4)
    with pytest.raises(OptionError, match="widths of stages ascend"):
        Funnel(vectors.items, screen, 10, (Stage(12, 5), Stage(8, 5)))
    with pytest.raises(OptionError, match="an empty shortlist"):
        Funnel(vectors.items, screen, 0)
    with pytest.raises(OptionError, match="share=0"):
        Funnel(vectors.items, screen, 5, share=0.0)
    with pytest.raises(OptionError, match="0 clusters"):
        Clusters(0)


@pytest.mark.parametrize("rows", [0, 10])
@pytest.mark.parametrize("clusters", [None, Clusters(5)])
@pytest.mark.parametrize("turned", [False, True])
def test_a_screen_is_restored_from_its_arrays(clusters: Clusters | None, turned: bool, rows: int) -> None:
    vectors = falling_spectrum(9, 700, SIZE)
    axes: Rotation | None = svd_rotation(vectors.queries, vectors.items, invertible=True) if turned else None
    screen = build_screen(vectors.items, SIZE, 6, axes=axes, clusters=clusters, rows=rows)
    again = CoarseIndex.restored(screen.arrays(), screen.described())
    for one, other in zip(
        Exact(vectors.items, screen).search(vectors.queries, 4),
        Exact(vectors.items, again).search(vectors.queries, 4),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    with pytest.raises(ModelFileError, match="codes must be int8"):
        CoarseIndex.restored(screen.arrays(), {**screen.described(), "width": 9})
    if rows:
        with pytest.raises(ModelFileError, match="row_codes must be int8"):
            CoarseIndex.restored(screen.arrays(), {**screen.described(), "rows": SIZE})


@pytest.mark.parametrize("n_queries", [1, 30])
@pytest.mark.parametrize("width", [6, SIZE])
def test_beginning_above_a_sample_changes_no_answer(
    monkeypatch: pytest.MonkeyPatch, n_queries: int, width: int
) -> None:
    """Large catalogues begin above what a sample shows; here small ones do too."""
    monkeypatch.setattr(screening, "_LEAST_SAMPLE", 1)
    vectors = whole_numbers(n_queries, 5_000, SIZE)
    rows = rows_of(np.random.default_rng(3), max(2, n_queries), 5_000)[:n_queries]
    screen = build_screen(vectors.items, SIZE, width)
    expected = full_sort(vectors, 20, rows)
    found = Exact(vectors.items, screen).search(vectors.queries, 20, exclusions(rows))
    np.testing.assert_array_equal(found.items, expected.items)
    everything = Funnel(vectors.items, screen, 5_000).search(vectors.queries, 20, exclusions(rows))
    np.testing.assert_array_equal(everything.items, expected.items)


@pytest.mark.parametrize("n_queries", [1, 30])
def test_a_sample_that_misleads_leaves_nobody_with_too_little(monkeypatch: pytest.MonkeyPatch, n_queries: int) -> None:
    """The good items all stand on the sampled shelf, so the threshold is too much to ask of the others."""
    monkeypatch.setattr(screening, "_LEAST_SAMPLE", 1)
    items = np.ones((SHELF * 16, SIZE), dtype=np.float32)
    items[:, 1:] = 0.0
    screen = build_screen(items, SIZE, SIZE)  # all of one length: in the order of their indices
    good = slice(SHELF * (screening._SAMPLED // 2), SHELF * (screening._SAMPLED // 2 + 1))
    items[:, 1], items[good, 1] = -np.arange(len(items)) / 1e4, 0.1
    queries = np.zeros((n_queries, SIZE), dtype=np.float32)
    queries[:, :2] = 1.0
    places = np.arange(len(items), dtype=np.int32)
    shelves = build_screen(items, SIZE, SIZE).shelves
    standing = shelves._replace(names=places, codes=_in_order(items), scales=np.full_like(shelves.scales, 1.0))
    misled = dataclasses.replace(screen, shelves=standing, storage=Storage.FLOAT32)
    found = Funnel(items, misled, 100).search(queries, 100).items
    assert (found >= 0).all()


def _in_order(items: Matrix) -> npt.NDArray[np.float32]:
    return np.ascontiguousarray(items.reshape(-1, SHELF, SIZE).transpose(0, 2, 1)).ravel()


def test_a_sample_saves_offers() -> None:
    vectors = falling_spectrum(16, 40_000, SIZE)
    screen = build_screen(vectors.items, SIZE, SIZE)
    asked = request(vectors.queries, 10, None, None, None, n_items=40_000, width=SIZE)
    counts: list[int] = []
    walked(screen, asked, Walk(200, True, 10), lambda _, kept: counts.extend(kept.counts.tolist()), threads=1)
    assert min(counts) >= 10
    assert np.mean(counts) < 500


def test_products_beyond_float32_are_refused() -> None:
    items = np.full((4_000, 2), 1e20, dtype=np.float32)  # so many that a screen is worth walking
    exact = Exact(items, build_screen(items, 2, 2))
    with pytest.raises(DataError, match="beyond the range of 32-bit floats"):
        exact.search(np.full((1, 2), 1e20, dtype=np.float32), 3)


@pytest.mark.parametrize("n_queries", [3, 30])
@pytest.mark.parametrize("storage", Storage)
def test_products_too_small_for_float32_do_not_hide_the_best(storage: Storage, n_queries: int) -> None:
    """Bounds of scores near 1e-44 were rounded to 0, below the scores, and a wrong answer passed for proven."""
    vectors = falling_spectrum(n_queries, 3_000, SIZE)
    queries, items = (side * np.float32(1e-22) for side in vectors)
    found = Exact(items, build_screen(items, SIZE, SIZE, storage)).search(queries, 10)
    np.testing.assert_array_equal(found.items, FullScan(items, SIZE).search(queries, 10).items)

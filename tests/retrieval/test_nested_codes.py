"""Nested codes: one table, exact answers at every width, for one query and for many."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.arrays import Float32Array
from nestrec.errors import DataError
from nestrec.kernels.search.code_blocks import BLOCK
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.nested_codes import build_codes
from nestrec.widths import Widths

from .worlds import exclusions, falling_spectrum, rows_of

WIDTHS = Widths((1, 2, 5, 8, 13))  # odd ones too: codes are multiplied two dimensions at a time
N_ITEMS = 2_000


def check_every_width(items: Float32Array, queries: Float32Array, k: int = 9) -> None:
    codes = build_codes(items, WIDTHS, threads=2)
    seen = exclusions(rows_of(np.random.default_rng(2), len(queries), len(items)))
    deny = np.arange(0, len(items), 7)
    for width, index in codes.indexes.items():
        for exclude, denied in ((None, None), (seen, deny)):
            found = Exact(items, index).search(queries, k, exclude, deny=denied, threads=1)
            expected = FullScan(items, width).search(queries, k, exclude, deny=denied, threads=1)
            np.testing.assert_array_equal(found.ids, expected.ids)
            np.testing.assert_array_equal(found.scores, expected.scores)


@pytest.mark.parametrize("n_queries", [2, 30])
def test_every_width_has_the_very_bits_of_the_full_scan(n_queries: int) -> None:
    vectors = falling_spectrum(n_queries, N_ITEMS, 13)
    check_every_width(vectors.items, vectors.queries)


@pytest.mark.parametrize("n_queries", [2, 30])
def test_later_dimensions_may_be_the_greater_ones(n_queries: int) -> None:
    """Codes of the first dimensions are then nearly all zeros: bounds say so, and everything is scored."""
    vectors = falling_spectrum(n_queries, N_ITEMS, 13)
    check_every_width(vectors.items * np.float32(10) ** np.arange(13, dtype=np.float32), vectors.queries)


def test_zeros_and_vectors_beyond_the_last_width_are_allowed() -> None:
    vectors = falling_spectrum(3, N_ITEMS, 16)
    vectors.items[500:1_500, :5] = 0.0
    check_every_width(vectors.items, vectors.queries)


def test_no_score_is_above_its_bound_at_any_width() -> None:
    vectors = falling_spectrum(4, 700, 13)
    for width, index in build_codes(vectors.items, WIDTHS).indexes.items():
        used = index.blocks.items >= 0
        items = vectors.items[index.blocks.items[used], :width].astype(np.float64)
        decoded = index.blocks.codes.reshape(-1, index.block_steps, BLOCK, 2).transpose(0, 2, 1, 3)
        scales = np.repeat(index.blocks.scales, BLOCK)[:, np.newaxis].astype(np.float64)
        prefixes = (decoded.reshape(len(used), -1)[:, :width] * scales)[used]
        errors = np.repeat(index.blocks.quantization_errors, BLOCK)[used]
        assert (np.linalg.norm(items - prefixes, axis=1) <= errors).all()
        assert (np.linalg.norm(prefixes, axis=1) <= np.repeat(index.blocks.decoded_norms, BLOCK)[used]).all()
        assert (np.linalg.norm(items, axis=1) <= np.repeat(index.blocks.max_norms, BLOCK)[used]).all()


def test_the_widths_share_one_table() -> None:
    vectors = falling_spectrum(1, 6_400, 64)
    codes = build_codes(vectors.items, Widths((4, 8, 16, 32, 64)))
    tables = [index.blocks.codes for index in codes.indexes.values()]
    assert all(table is tables[0] for table in tables)
    assert tables[0].nbytes == 6_400 * 64
    assert codes.nbytes < 6_400 * (64 + 4 + 4 + 2)


def test_the_number_of_threads_does_not_change_the_codes() -> None:
    items = falling_spectrum(1, 20_000, 13).items
    one, two = (build_codes(items, WIDTHS, threads=threads) for threads in (1, 2))
    for width in WIDTHS:
        arrays, others = (codes.indexes[width].arrays() for codes in (one, two))
        for name, array in arrays.items():
            np.testing.assert_array_equal(array, others[name])


def test_a_narrow_width_scans_a_part_of_the_blocks() -> None:
    """Items are in the order of a middle width's norms, so that narrow widths may skip the blocks of small ones."""
    vectors = falling_spectrum(8, 20_000, 16)
    index = build_codes(vectors.items, Widths((2, 4, 16))).indexes[2]
    work = Exact(vectors.items, index).search(vectors.queries, 10).work
    assert work.scanned < 0.7 * work.possible


def test_a_short_allow_list_is_scored_without_a_scan_of_the_codes() -> None:
    vectors = falling_spectrum(3, N_ITEMS, 13)
    index = build_codes(vectors.items, WIDTHS).indexes[13]
    allow = np.arange(100, 200)
    found = Exact(vectors.items, index).search(vectors.queries, 5, allow=allow)
    expected = FullScan(vectors.items, 13).search(vectors.queries, 5, allow=allow)
    np.testing.assert_array_equal(found.ids, expected.ids)
    assert (found.work.scanned, found.work.reranked) == (0, 300)


def test_items_that_are_not_finite_are_refused() -> None:
    items = np.ones((5, 13), dtype=np.float32)
    items[3, 12] = np.inf
    with pytest.raises(DataError, match=r"must be finite.*item 3"):
        build_codes(items, WIDTHS)

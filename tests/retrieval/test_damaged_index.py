"""A coarse index whose file has a changed byte is refused or answers something; it never hangs or leaves an array."""

from __future__ import annotations

import faulthandler
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import nestrec
from nestrec.errors import ModelFileError, NestrecError
from nestrec.retrieval.build_index import build_index
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig
from nestrec.svd_rotation import svd_rotation

from .worlds import Vectors, falling_spectrum

SIZE, N_ITEMS, N_QUERIES = 12, 200, 9
SECONDS = 120  # the whole of a test; a kernel that does not end takes the process with it
INDEX_ARRAYS = ("items", "positions", "cell_begins", "cell_ends")


@pytest.fixture(autouse=True)
def _ends() -> Iterator[None]:
    faulthandler.dump_traceback_later(SECONDS, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


def index_of(vectors: Vectors, storage: Storage, *, whole: bool) -> CoarseIndex:
    """Return one with rotation, clusters and refinement codes (`whole`), or with none."""
    axes = svd_rotation(vectors.queries, vectors.items, invertible=True) if whole else None
    return build_index(
        vectors.items,
        SIZE,
        6,
        storage,
        rotation=axes,
        clusters=Clusters(4) if whole else None,
        refinement_width=SIZE if whole else 0,
    )


def changed(array: npt.NDArray[Any], byte: int, mask: int) -> npt.NDArray[Any]:
    copy = np.ascontiguousarray(array).copy()
    copy.reshape(-1).view(np.uint8)[byte] ^= mask
    return copy


def ask(vectors: Vectors, index: CoarseIndex) -> None:
    """Search one by one and many at once, certified and by shortlist; all results must be items or padding."""
    seen = ItemLists(np.arange(N_QUERIES + 1) * 3, np.arange(N_QUERIES * 3, dtype=np.int32))
    stages = (Stage(SIZE, 20),) if index.refinement is not None else ()
    for retriever in (Exact(vectors.items, index), Funnel(vectors.items, index, 40, stages)):
        for n in (1, N_QUERIES):
            part = ItemLists(seen.indptr[: n + 1], seen.indices[: seen.indptr[n]])
            items = retriever.search(vectors.queries[:n], 5, part, threads=1).ids
            assert items.min() >= -1
            assert items.max() < N_ITEMS


def is_refused(vectors: Vectors, index: CoarseIndex, arrays: dict[str, npt.NDArray[Any]]) -> bool:
    """Ask the index of these arrays; nothing but a typed error may come out."""
    try:
        again = CoarseIndex.from_arrays(arrays, index.describe())
    except ModelFileError:
        return True
    with np.errstate(all="ignore"):
        try:
            ask(vectors, again)
        except NestrecError:
            return True
    return False


@pytest.mark.parametrize("name", INDEX_ARRAYS)
@pytest.mark.parametrize("whole", [False, True])
def test_every_changed_byte_of_an_index_array_is_refused(name: str, whole: bool) -> None:
    """Four of 1,448 such changes hung: an item named twice made keys that are not unique."""
    vectors = falling_spectrum(N_QUERIES, N_ITEMS, SIZE)
    index = index_of(vectors, Storage.INT8, whole=whole)
    arrays = index.arrays()
    rng = np.random.default_rng(5)
    for byte in range(arrays[name].nbytes):
        for mask in (1 << int(rng.integers(8)), 0xFF):
            assert is_refused(vectors, index, arrays | {name: changed(arrays[name], byte, mask)}), (name, byte, mask)


@pytest.mark.parametrize("storage", Storage)
@pytest.mark.parametrize("whole", [False, True])
def test_no_changed_byte_leads_out_of_an_array(storage: Storage, whole: bool) -> None:
    vectors = falling_spectrum(N_QUERIES, N_ITEMS, SIZE)
    index = index_of(vectors, storage, whole=whole)
    arrays, rng = index.arrays(), np.random.default_rng(7)
    for name, array in arrays.items():
        for byte in rng.integers(0, array.nbytes, min(60, array.nbytes)).tolist():
            for mask in (1 << int(rng.integers(8)), 0xFF):
                is_refused(vectors, index, arrays | {name: changed(array, byte, mask)})


@pytest.mark.parametrize(
    "name",
    ["scales", "quantization_errors", "decoded_norms", "max_norms", "cell_max_norms", "refinement_terms", "of_items"],
)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(name: str, value: float) -> None:
    vectors = falling_spectrum(N_QUERIES, N_ITEMS, SIZE)
    index = index_of(vectors, Storage.INT8, whole=True)
    damaged = index.arrays()[name].copy()
    damaged.flat[damaged.size // 2] = value
    with pytest.raises(ModelFileError, match=f"{name} must be finite"):
        CoarseIndex.from_arrays(index.arrays() | {name: damaged}, index.describe())


@pytest.mark.parametrize(
    "name", ["codes", *INDEX_ARRAYS, "scales", "residual_norms", "cell_centroids", "refinement_codes", "of_queries"]
)
def test_arrays_of_another_shape_or_dtype_are_refused(name: str) -> None:
    vectors = falling_spectrum(N_QUERIES, N_ITEMS, SIZE)
    index = index_of(vectors, Storage.INT8, whole=True)
    arrays = index.arrays()
    for other in (arrays[name][:-1], arrays[name][np.newaxis], arrays[name].astype(np.float16)):
        with pytest.raises(ModelFileError, match="plan"):
            CoarseIndex.from_arrays(arrays | {name: other}, index.describe())
    with pytest.raises(ModelFileError, match="plan"):
        CoarseIndex.from_arrays({key: array for key, array in arrays.items() if key != name}, index.describe())


def test_a_saved_model_with_a_changed_index_answers_or_is_refused(tmp_path: Path) -> None:
    """As above through the files, contents unverified."""
    vectors = falling_spectrum(N_QUERIES, N_ITEMS, SIZE)
    model = nestrec.NestedEmbeddings.from_arrays(vectors.queries, vectors.items, [4, SIZE])
    options = CoarseIndexOptions(4, rotate=True, n_clusters=4, refinement_width=SIZE)
    plan = SearchConfig(SIZE, options, shortlist=30, stages=(Stage(SIZE, 15),), k=5)
    planned = model.with_search_config(plan, options.build(vectors.queries, vectors.items, SIZE))
    planned.save(tmp_path / "m")
    file = tmp_path / "m" / "coarse_index.safetensors"
    whole, n_refused = file.read_bytes(), 0
    first = 8 + int.from_bytes(whole[:8], "little")
    rng = np.random.default_rng(11)
    for place in rng.integers(first, len(whole), 300).tolist():
        damaged = bytearray(whole)
        damaged[place] ^= 1 << int(rng.integers(8))
        file.write_bytes(damaged)
        with np.errstate(all="ignore"):
            try:
                loaded = nestrec.NestedEmbeddings.load(tmp_path / "m", verify=False)
                loaded.recommend(np.arange(N_QUERIES), 5, exact=bool(place % 2), threads=1)
                loaded.recommend(0, 5, threads=1)
            except NestrecError:
                n_refused += 1
    assert 0 < n_refused < 300

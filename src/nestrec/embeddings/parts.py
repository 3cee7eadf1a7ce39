"""Validate, sort and restore the parts of `NestedEmbeddings`."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.artefact.model import StoredModel
from nestrec.artefact.open_model import is_finite
from nestrec.data.ids import canonicalize_ids
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.nested_codes import NestedCodes
from nestrec.retrieval.request import as_matrix
from nestrec.retrieval.search_config import SearchConfig
from nestrec.widths import Widths

SEARCH_CONFIG, COARSE_INDEX = "search_config", "coarse_index"  # sections of the manifest

_TYPES = {
    "user_embeddings": np.ndarray,
    "item_embeddings": np.ndarray,
    "users": Vocabulary,
    "items": Vocabulary,
    "widths": Widths,
    "seen": Interactions,
}


def check_types(model: object) -> None:
    """Raise DataError for attributes of another type, such as lists."""
    for name, kind in _TYPES.items():
        if not isinstance(getattr(model, name), kind):
            found = type(getattr(model, name)).__name__
            raise DataError(f"{name} must be a {kind.__name__}, got {found}; from_arrays takes lists and ids")


def check_matrix(noun: str, matrix: Float32Array, n_rows: int, widths: Widths, *, finite: bool) -> None:
    """Raise DataError unless the embeddings are float32 (n_rows, embedding size) and, if asked, finite."""
    if matrix.dtype != np.float32 or matrix.shape != (n_rows, widths.embedding_size):
        raise DataError(
            f"{noun}_embeddings must be float32 ({n_rows}, {widths.embedding_size}) for {n_rows} {noun}s and embedding "
            f"size {widths.embedding_size}, got {matrix.dtype} {matrix.shape}"
        )
    if n_rows == 0:
        raise DataError(f"a model must have at least one {noun}, got none")
    if finite and not is_finite(matrix):
        raise DataError(
            f"{noun}_embeddings must be finite, got NaN or infinite numbers; train again with a smaller learning rate"
        )


def check_codes(codes: NestedCodes | None, widths: Widths, n_items: int) -> None:
    """Raise DataError unless the codes are of so many items and these widths."""
    if codes is not None and (codes.n_items, codes.widths) != (n_items, widths):
        raise DataError(
            f"codes must be of the model's {n_items} items and its widths, got {codes!r}; build them with "
            "model.with_codes()"
        )


def sort_by_id(noun: str, vectors: npt.ArrayLike, ids: npt.ArrayLike | None) -> tuple[Float32Array, Vocabulary]:
    """Return the embeddings in the order of their ids, and the ids; None stands for 0, 1, 2 and so on."""
    matrix = as_matrix(f"{noun}_embeddings", vectors)
    if matrix.ndim != 2:
        raise DataError(f"{noun}_embeddings must have two dimensions, a row per {noun}; got {matrix.ndim}")
    if ids is None:
        return matrix, Vocabulary(np.arange(len(matrix), dtype=np.int64))
    given = canonicalize_ids(ids)
    vocabulary = Vocabulary.from_ids(given)
    if not len(given) == len(vocabulary) == len(matrix):
        raise DataError(
            f"{noun} ids must be unique, one for each of {len(matrix)} rows of {noun}_embeddings; got {len(given)}, "
            f"{len(vocabulary)} of them different"
        )
    rows = np.empty_like(matrix)
    rows[vocabulary.index_of(given)] = matrix
    return rows, vocabulary


def replace_search_sections(
    manifest: Mapping[str, Any], config: SearchConfig | None, index: CoarseIndex | None
) -> dict[str, Any]:
    """Return the manifest with the sections of this config and index in place of its own."""
    kept = {name: value for name, value in manifest.items() if name not in (SEARCH_CONFIG, COARSE_INDEX)}
    if config is not None:
        kept[SEARCH_CONFIG] = config.as_manifest()
    if index is not None:
        kept[COARSE_INDEX] = index.describe()
    return kept


def restore_coarse_index(
    path: str | PathLike[str], stored: StoredModel, config: SearchConfig | None
) -> CoarseIndex | None:
    """Return the saved coarse index, if any; raise ModelFileError if it does not fit the search config or the model."""
    try:
        index = _read_coarse_index(stored)
        if config is not None:
            stored.widths.level_of(config.width)
            config.retriever(stored.item_embeddings, index)
    except (DataError, OptionError, LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(
            f"the coarse index of {path} does not fit its manifest ({error}); build it again: nestrec plan {path}"
        ) from error
    return index


def _read_coarse_index(stored: StoredModel) -> CoarseIndex | None:
    description = stored.manifest.get(COARSE_INDEX)
    if description is None and not stored.coarse_index:
        return None
    if not isinstance(description, dict):
        raise TypeError(f"section {COARSE_INDEX} must be an object, got {type(description).__name__}")
    return CoarseIndex.from_arrays(stored.coarse_index, description)

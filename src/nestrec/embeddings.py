"""Trained embeddings that nest, and what is asked of them: recommend, compare, score, narrow, save.

One value holds all that serving needs: user and item matrices, the widths, the ids and the interactions seen in
training. Training makes it; evaluation and serving read it. Scores are raw inner products of prefixes: a prefix is
never scaled to length 1, since its length carries popularity. Only similarity (cosine) divides by lengths.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arguments import check_keywords
from nestrec.arrays import Float32Array
from nestrec.artefact.model import StoredModel, read_model, write_model
from nestrec.artefact.open_model import is_finite
from nestrec.data.ids import canonicalize_ids
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.coarse_scan import FEW
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan, Retriever
from nestrec.retrieval.id_lookup import Found, Ids, Unknown, allowed_rows, find
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import as_matrix, check_answer_size, checked_k
from nestrec.retrieval.search import Side, best, each_itself, found_by, pair_scores
from nestrec.retrieval.search_config import SearchConfig
from nestrec.retrieval.top_k import Exclusions
from nestrec.widths import Widths

_SEARCH_CONFIG, _COARSE_INDEX = "search_config", "coarse_index"  # sections of the manifest


@dataclass(frozen=True, eq=False, repr=False)
class NestedEmbeddings:
    """User and item vectors whose every prefix of a trained width is a recommender.

    Raises DataError where shapes do not fit or a number is not finite. The arrays are kept, not copied.

    >>> import nestrec
    >>> model = nestrec.NestedEmbeddings.from_arrays(
    ...     user_embeddings=[[1.0, 0.0], [0.0, 1.0]],
    ...     item_embeddings=[[3.0, 0.0], [2.0, 1.0], [0.0, 2.0]],
    ...     widths=[1, 2],
    ...     users=["ann", "bob"],
    ...     items=["jam", "tea", "rye"],
    ... )
    >>> ids, scores = model.recommend("bob", k=2)
    >>> ids.tolist(), scores.tolist()
    (['rye', 'tea'], [2.0, 1.0])
    >>> model.at(1)
    <NestedEmbeddings: 2 users, 3 items, widths 1>
    """

    user_embeddings: Float32Array  # (n_users, embedding_size) float32
    item_embeddings: Float32Array  # (n_items, embedding_size) float32
    widths: Widths
    users: Vocabulary
    items: Vocabulary
    seen: Interactions  # the training interactions; (n_users, n_items)
    manifest: Mapping[str, Any] = field(
        default_factory=dict
    )  # options, metrics, fingerprints: what `save` keeps beside
    check: InitVar[bool] = True  # False: the numbers are known to be finite and are not read
    coarse_index: CoarseIndex | None = None  # what the search config of the manifest scans

    def __post_init__(self, check: bool) -> None:
        """Check that the parts fit each other."""
        _check_types(self)
        _check_matrix("user", self.user_embeddings, len(self.users), self.widths, check)
        _check_matrix("item", self.item_embeddings, len(self.items), self.widths, check)
        if (self.seen.n_users, self.seen.n_items) != (len(self.users), len(self.items)):
            raise DataError(
                f"seen interactions of {self.seen.n_users} users and {self.seen.n_items} items do not fit a model of "
                f"{len(self.users)} users and {len(self.items)} items; use the interactions it was trained on"
            )

    @classmethod
    @check_keywords
    def from_arrays(
        cls,
        user_embeddings: npt.ArrayLike,  # (n_users, embedding_size)
        item_embeddings: npt.ArrayLike,  # (n_items, embedding_size)
        widths: Iterable[int] | int,
        *,
        users: npt.ArrayLike | None = None,  # (n_users,) ids, one a row; None: 0, 1, 2, …
        items: npt.ArrayLike | None = None,  # (n_items,)
    ) -> NestedEmbeddings:
        """Build a model from vectors made elsewhere; nothing counts as seen. Raises DataError for a repeated id."""
        user_rows, user_vocabulary = _sorted_side("user", user_embeddings, users)
        item_rows, item_vocabulary = _sorted_side("item", item_embeddings, items)
        nothing = np.zeros(len(user_vocabulary) + 1, dtype=np.int64)
        seen = Interactions(user_vocabulary, item_vocabulary, nothing, np.zeros(0, dtype=np.int32))
        return cls(user_rows, item_rows, Widths(widths), user_vocabulary, item_vocabulary, seen)

    @property
    def n_users(self) -> int:
        """Rows of the user matrix."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Rows of the item matrix."""
        return len(self.items)

    @property
    def embedding_size(self) -> int:
        """The widest width: numbers in a vector."""
        return self.widths.embedding_size

    def at(self, width: int) -> NestedEmbeddings:
        """Return the same model, narrower: views of the matrices, no copies.

        Raises OptionError for a width that was not trained.
        """
        ladder = self.widths.up_to(width)
        size = ladder.embedding_size
        narrow = self.user_embeddings[:, :size], self.item_embeddings[:, :size]
        kept = (
            self
            if self.search_config is None or self.search_config.width <= size
            else self.with_search_config(None, None)
        )
        return replace(kept, user_embeddings=narrow[0], item_embeddings=narrow[1], widths=ladder, check=False)

    @property
    def search_config(self) -> SearchConfig | None:
        """How `recommend` finds items, as chosen by `nestrec.plan`; None: it scores all of them."""
        values = self.manifest.get(_SEARCH_CONFIG)
        return None if values is None else SearchConfig.from_manifest(values)

    def with_search_config(self, config: SearchConfig | None, index: CoarseIndex | None) -> NestedEmbeddings:
        """Return the same model with a search config and the coarse index it needs; None for both removes them."""
        kept = {name: value for name, value in self.manifest.items() if name not in (_SEARCH_CONFIG, _COARSE_INDEX)}
        if config is not None:
            kept[_SEARCH_CONFIG] = config.as_manifest()
        if index is not None:
            kept[_COARSE_INDEX] = index.described()
        return replace(self, manifest=kept, coarse_index=index, check=False)

    @cached_property
    def _configured_retriever(self) -> Retriever:
        if self.search_config is None:
            return FullScan(self.item_embeddings, self.embedding_size)
        return self.search_config.retriever(self.item_embeddings, self.coarse_index)

    def retriever(self, width: int | None = None, *, k: int = 1, exact: bool = False, n_queries: int = 1) -> Retriever:
        """Return the retriever for the best k items of a width: by the search config, where there is one for it.

        A search config is used at its own width and up to the k it was measured for, and for many queries at once only
        where it was measured to be faster than the full scan. `exact` replaces its shortlists by a certified exact
        search of the same coarse index.
        """
        size, config = self._width(width), self.search_config
        if config is None or config.width != size or (k > config.k and not config.exact):
            return FullScan(self.item_embeddings, size)
        if config.slower_in_batches and n_queries > FEW:
            return FullScan(self.item_embeddings, size)
        if exact and not config.exact and self.coarse_index is not None:
            return Exact(self.item_embeddings, self.coarse_index)
        return self._configured_retriever

    @check_keywords
    def recommend(
        self,
        user_ids: Ids,
        k: int = 10,
        width: int | None = None,
        *,
        exclude_seen: bool = True,
        allow: Ids | None = None,
        deny: Ids | None = None,
        exact: bool = False,
        unknown: Unknown = "raise",
        threads: int | None = None,
    ) -> Ranking:
        """Return the k items of highest score for each user, best first; equal scores by item index.

        A model with a search config (`nestrec.plan`) searches by it, which may miss a few of the best; many users at
        once by the full scan, where that was measured to be faster.

        Args:
            user_ids: one id (1-D result) or many (2-D result, one row a user).
            k: items per user, 1 or more. Users with less than k items left get fewer; see `Ranking`.
            width: a trained width to score with; None is the widest.
            exclude_seen: leave out the items of each user's training interactions.
            allow: allow-list of item ids; only these can be returned.
            deny: deny-list of item ids, never returned.
            exact: search exactly, whatever the search config.
            unknown: "raise" UnknownIdError for an id the model does not know, or "skip" it and report it in the result.
            threads: None uses all processors.

        """
        asked, wanted = find(self.users, user_ids, "user", unknown), checked_k(k)
        check_answer_size(wanted, len(asked.rows), self.n_items)
        return found_by(
            self.retriever(width, k=wanted, exact=exact, n_queries=len(asked.rows)),
            asked,
            self.user_embeddings,
            self.items,
            wanted,
            excluded=Exclusions(self.seen.indptr, self.seen.indices) if exclude_seen else None,
            allowed=allowed_rows(self.items, allow, deny, unknown),
            threads=threads,
        )

    @check_keywords
    def similar_items(
        self,
        item_ids: Ids,
        k: int = 10,
        width: int | None = None,
        *,
        unknown: Unknown = "raise",
        threads: int | None = None,
    ) -> Ranking:
        """Return the k items nearest to each item by the cosine of their prefixes, the item itself left out.

        A vector of zeros has cosine 0 with everything. Arguments, result and errors as in `recommend`.
        """
        asked = find(self.items, item_ids, "item", unknown)
        return self._similar(asked, Side(self.item_embeddings, self.items), k, width, threads)

    @check_keywords
    def similar_users(
        self,
        user_ids: Ids,
        k: int = 10,
        width: int | None = None,
        *,
        unknown: Unknown = "raise",
        threads: int | None = None,
    ) -> Ranking:
        """Return the k users nearest to each user by the cosine of their prefixes, the user itself left out.

        A vector of zeros has cosine 0 with everything. Arguments, result and errors as in `recommend`.
        """
        asked = find(self.users, user_ids, "user", unknown)
        return self._similar(asked, Side(self.user_embeddings, self.users), k, width, threads)

    @check_keywords
    def score(self, user_ids: Ids, item_ids: Ids, width: int | None = None) -> Float32Array:
        """Return the score of each pair, float32: two lists of one length, or one id against a list.

        Equal to what `recommend` gives up to rounding. Raises UnknownIdError for an id the model does not know and
        OptionError for lists of different lengths.
        """
        users, items = find(self.users, user_ids, "user", "raise"), find(self.items, item_ids, "item", "raise")
        if not (users.single or items.single or len(users.rows) == len(items.rows)):
            raise OptionError(
                f"{len(users.rows)} users and {len(items.rows)} items are no pairs; give as many of one as of the "
                "other, or a single id"
            )
        user_rows, item_rows = np.broadcast_arrays(users.rows, items.rows)
        scores = pair_scores(self.user_embeddings, self.item_embeddings, user_rows, item_rows, self._width(width))
        return scores.reshape(()) if users.single and items.single else scores

    @check_keywords
    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model to a directory, whole or not at all; a reader sees the old model or the new one.

        Raises OptionError where the path holds a model and `overwrite` is False, ModelFileError where it holds
        something else or cannot be written.
        """
        write_model(path, self._stored(), overwrite=overwrite)

    @classmethod
    @check_keywords
    def load(
        cls, path: str | PathLike[str], *, verify: bool | None = None, search_config: bool = True
    ) -> NestedEmbeddings:
        """Open a saved model; its arrays are views of the files, shared with other processes that open it.

        The manifest, the structure of the files and their sizes are always checked. `verify`: True checks all contents
        against their checksums, False none, None those of files up to 256 MiB and samples of larger ones.
        `search_config`: False ignores a saved search config and its coarse index, even if damaged. Raises
        ModelFileError for what is not a complete model of this version.
        """
        stored = read_model(path, verify=verify, coarse_index=search_config)
        try:
            model = cls(*stored[:-1], check=False)
        except (DataError, TypeError, ValueError) as error:
            raise ModelFileError(f"the files of {path} do not fit each other ({error}); train it again") from error
        return model._with_coarse_index(stored, path) if search_config else model.with_search_config(None, None)

    def _with_coarse_index(self, stored: StoredModel, path: str | PathLike[str]) -> NestedEmbeddings:
        """Return the model with its saved coarse index; raise ModelFileError if it does not fit the search config."""
        config = self.search_config
        try:
            index = _restore_coarse_index(stored)
            if config is not None:
                self.widths.level_of(config.width)
                config.retriever(self.item_embeddings, index)
        except (DataError, OptionError, LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
            raise ModelFileError(
                f"the coarse index of {path} does not fit its manifest ({error}); build it again: nestrec plan {path}"
            ) from error
        return self if index is None else replace(self, coarse_index=index, check=False)

    def _stored(self) -> StoredModel:
        index = {} if self.coarse_index is None else self.coarse_index.arrays()
        matrices = self.user_embeddings, self.item_embeddings
        return StoredModel(*matrices, self.widths, self.users, self.items, self.seen, self.manifest, index)

    def _width(self, width: int | None) -> int:
        if width is None:
            return self.embedding_size
        return self.widths.values[self.widths.level_of(width)]

    def _similar(self, asked: Found, side: Side, k: int, width: int | None, threads: int | None) -> Ranking:
        check_answer_size(checked_k(k), len(asked.rows), len(side.vectors))
        own = each_itself(len(side.vectors))
        return best(asked, side.vectors, side, self._width(width), k, excluded=own, cosine=True, threads=threads)

    def __repr__(self) -> str:
        """Show the sizes."""
        return (
            f"<NestedEmbeddings: {self.n_users} users, {self.n_items} items, widths {', '.join(map(str, self.widths))}>"
        )


def _restore_coarse_index(stored: StoredModel) -> CoarseIndex | None:
    described = stored.manifest.get(_COARSE_INDEX)
    if described is None and not stored.coarse_index:
        return None
    if not isinstance(described, dict):
        raise TypeError(f"section {_COARSE_INDEX} must be an object, got {type(described).__name__}")
    return CoarseIndex.restored(stored.coarse_index, described)


def _check_types(given: NestedEmbeddings) -> None:
    """Raise DataError for parts of another type, as lists are."""
    wanted = {"users": Vocabulary, "items": Vocabulary, "widths": Widths, "seen": Interactions}
    arrays = {"user_embeddings": np.ndarray, "item_embeddings": np.ndarray}
    for name, kind in {**arrays, **wanted}.items():
        if not isinstance(getattr(given, name), kind):
            found = type(getattr(given, name)).__name__
            raise DataError(f"{name} must be a {kind.__name__}, got {found}; from_arrays takes lists and ids")


def _check_matrix(noun: str, matrix: Float32Array, n_rows: int, widths: Widths, read: bool) -> None:
    if matrix.dtype != np.float32 or matrix.shape != (n_rows, widths.embedding_size):
        raise DataError(
            f"{noun}_embeddings of {matrix.dtype} {matrix.shape} do not fit {n_rows} {noun}s and embedding size "
            f"{widths.embedding_size}; they are float32 ({n_rows}, {widths.embedding_size})"
        )
    if n_rows == 0:
        raise DataError(f"a model of no {noun}s can answer nothing; give at least one")
    if read and not is_finite(matrix):
        raise DataError(f"{noun}_embeddings hold NaN or infinite numbers; train again with a smaller learning rate")


def _sorted_side(noun: str, vectors: npt.ArrayLike, ids: npt.ArrayLike | None) -> tuple[Float32Array, Vocabulary]:
    """Return the rows in the order of their ids."""
    matrix = as_matrix(f"{noun}_embeddings", vectors)
    if matrix.ndim != 2:
        raise DataError(f"{noun}_embeddings must be rows of numbers, one row a {noun}; got {matrix.ndim} dimensions")
    if ids is None:
        return matrix, Vocabulary(np.arange(len(matrix), dtype=np.int64))
    names = canonicalize_ids(ids)
    vocabulary = Vocabulary.from_ids(names)
    if not len(names) == len(vocabulary) == len(matrix):
        raise DataError(
            f"{len(names)} {noun} ids, {len(vocabulary)} of them different, do not name {len(matrix)} rows of "
            f"{noun}_embeddings; give every row an id of its own"
        )
    rows = np.empty_like(matrix)
    rows[vocabulary.index_of(names)] = matrix
    return rows, vocabulary

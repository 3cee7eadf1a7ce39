"""Trained nested embeddings: recommend, find similar ids, score, truncate, save and load.

A model holds user and item embeddings, widths, ids and the interactions seen in training. Scores are raw inner products
of prefixes: a prefix is never normalized, since its norm carries popularity. Only similarity (cosine) is.
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
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embedding_parts import (
    SEARCH_CONFIG,
    check_matrix,
    check_types,
    replace_search_sections,
    restore_coarse_index,
    sort_by_id,
)
from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.exclusions import Exclusions
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.id_lookup import Ids, Unknown, look_up, look_up_filters
from nestrec.retrieval.ranking import Ranking
from nestrec.retrieval.request import check_k, check_result_size
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.search import Side, score_pairs, search_items, search_neighbours
from nestrec.retrieval.search_config import SearchConfig
from nestrec.widths import Widths


@dataclass(frozen=True, eq=False, repr=False)
class NestedEmbeddings:
    """User and item embeddings whose prefix of every trained width is a recommender.

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

    user_embeddings: Float32Array
    """(n_users, embedding_size) float32."""
    item_embeddings: Float32Array
    """(n_items, embedding_size) float32."""
    widths: Widths
    users: Vocabulary
    """Ids of the users, in the order of the rows."""
    items: Vocabulary
    """Ids of the items, in the order of the rows."""
    seen: Interactions
    """The training interactions, (n_users, n_items)."""
    manifest: Mapping[str, Any] = field(default_factory=dict)
    """Options, metrics and fingerprints that are saved with the model."""
    check: InitVar[bool] = True  # False: the numbers are known to be finite and are not read
    coarse_index: CoarseIndex | None = None
    """The coarse index of the search config."""

    def __post_init__(self, check: bool) -> None:
        """Validate that the parts fit each other."""
        check_types(self)
        check_matrix("user", self.user_embeddings, len(self.users), self.widths, finite=check)
        check_matrix("item", self.item_embeddings, len(self.items), self.widths, finite=check)
        if (self.seen.n_users, self.seen.n_items) != (len(self.users), len(self.items)):
            raise DataError(
                f"seen interactions must be of the model's {len(self.users)} users and {len(self.items)} items, got "
                f"{self.seen.n_users} and {self.seen.n_items}; use the interactions it was trained on"
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
        user_rows, user_vocabulary = sort_by_id("user", user_embeddings, users)
        item_rows, item_vocabulary = sort_by_id("item", item_embeddings, items)
        indptr = np.zeros(len(user_vocabulary) + 1, dtype=np.int64)
        seen = Interactions(user_vocabulary, item_vocabulary, indptr, np.zeros(0, dtype=np.int32))
        return cls(user_rows, item_rows, Widths(widths), user_vocabulary, item_vocabulary, seen)

    @property
    def n_users(self) -> int:
        """Number of users."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of items."""
        return len(self.items)

    @property
    def embedding_size(self) -> int:
        """The widest width: dimensions of a vector."""
        return self.widths.embedding_size

    def at(self, width: int) -> NestedEmbeddings:
        """Truncate the embeddings to a trained width; the matrices are views, not copies.

        Raises OptionError for a width that was not trained.
        """
        widths = self.widths.up_to(width)
        size, config = widths.embedding_size, self.search_config
        kept = self if config is None or config.width <= size else self.with_search_config(None, None)
        users, items = self.user_embeddings[:, :size], self.item_embeddings[:, :size]
        return replace(kept, user_embeddings=users, item_embeddings=items, widths=widths, check=False)

    @property
    def search_config(self) -> SearchConfig | None:
        """How `recommend` finds items, as chosen by `nestrec.plan`; None: it scores all of them."""
        values = self.manifest.get(SEARCH_CONFIG)
        return None if values is None else SearchConfig.from_manifest(values)

    def with_search_config(self, config: SearchConfig | None, index: CoarseIndex | None) -> NestedEmbeddings:
        """Return the same model with a search config and the coarse index it needs; None for both removes them."""
        sections = replace_search_sections(self.manifest, config, index)
        return replace(self, manifest=sections, coarse_index=index, check=False)

    @cached_property
    def _configured_retriever(self) -> Retriever:
        config = self.search_config or SearchConfig(self.embedding_size)
        return config.retriever(self.item_embeddings, self.coarse_index)

    def retriever(self, width: int | None = None, *, k: int = 1, exact: bool = False, n_queries: int = 1) -> Retriever:
        """Return the retriever for the best k items of a width: that of the search config, where it applies.

        A search config applies at its own width and up to the k it was measured for, and to batches of queries only
        where it was measured to be faster than the full scan. `exact` replaces its shortlists by a certified exact
        search of the same coarse index.
        """
        size, config = self._width(width), self.search_config
        if config is None or not config.applies_to(size, k, n_queries):
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

        A model with a search config (`nestrec.plan`) searches by it, which may miss a few of the best; batches of users
        by the full scan, where that was measured to be faster.

        Args:
            user_ids: one id (1-D result) or many (2-D result, one row a user).
            k: items per user, 1 or more. Users with fewer than k items left get fewer; see `Ranking`.
            width: a trained width to score with; None is the widest.
            exclude_seen: leave out the items of each user's training interactions.
            allow: allow-list of item ids; only these can be returned.
            deny: deny-list of item ids, never returned.
            exact: search exactly, whatever the search config.
            unknown: "raise" UnknownIdError for an id the model does not know, or "skip" it and report it in the result.
            threads: None uses all processors.

        """
        queries, k = look_up(self.users, user_ids, "user", unknown), check_k(k)
        check_result_size(k, len(queries.rows), self.n_items)
        return search_items(
            self.retriever(width, k=k, exact=exact, n_queries=len(queries.rows)),
            queries,
            self.user_embeddings,
            self.items,
            k,
            excluded=Exclusions(self.seen.indptr, self.seen.indices) if exclude_seen else None,
            filters=look_up_filters(self.items, allow, deny, unknown),
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
        """Return the k items of highest cosine similarity of prefixes to each item, itself left out.

        A vector of zeros has cosine 0 with every other. Arguments, result and errors as in `recommend`.
        """
        side = Side("item", self.item_embeddings, self.items)
        return search_neighbours(side, item_ids, k, self._width(width), unknown, threads)

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
        """Return the k users of highest cosine similarity of prefixes to each user, themselves left out.

        A vector of zeros has cosine 0 with every other. Arguments, result and errors as in `recommend`.
        """
        side = Side("user", self.user_embeddings, self.users)
        return search_neighbours(side, user_ids, k, self._width(width), unknown, threads)

    @check_keywords
    def score(self, user_ids: Ids, item_ids: Ids, width: int | None = None) -> Float32Array:
        """Return the score of each pair, float32: two lists of equal length, or one id with a list.

        Equal to the scores of `recommend` up to rounding. Raises UnknownIdError for an id the model does not know and
        OptionError for lists of different lengths.
        """
        users, items = look_up(self.users, user_ids, "user", "raise"), look_up(self.items, item_ids, "item", "raise")
        if not (users.single or items.single or len(users.rows) == len(items.rows)):
            raise OptionError(
                f"user_ids and item_ids must have the same length, or one of them must be a single id; got "
                f"{len(users.rows)} and {len(items.rows)}"
            )
        user_rows, item_rows = np.broadcast_arrays(users.rows, items.rows)
        scores = score_pairs(self.user_embeddings, self.item_embeddings, user_rows, item_rows, self._width(width))
        return scores.reshape(()) if users.single and items.single else scores

    @check_keywords
    def save(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write the model to a directory atomically: a reader sees the old model or the new one.

        Raises OptionError where the path holds a model and `overwrite` is False, ModelFileError where it holds
        something else or cannot be written.
        """
        index = {} if self.coarse_index is None else self.coarse_index.arrays()
        matrices = self.user_embeddings, self.item_embeddings
        stored = StoredModel(*matrices, self.widths, self.users, self.items, self.seen, self.manifest, index)
        write_model(path, stored, overwrite=overwrite)

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
        if not search_config:
            return model.with_search_config(None, None)
        index = restore_coarse_index(path, stored, model.search_config)
        return model if index is None else replace(model, coarse_index=index, check=False)

    def _width(self, width: int | None) -> int:
        if width is None:
            return self.embedding_size
        return self.widths.values[self.widths.level_of(width)]

    def __repr__(self) -> str:
        """Show the sizes."""
        widths = ", ".join(map(str, self.widths))
        return f"<NestedEmbeddings: {self.n_users} users, {self.n_items} items, widths {widths}>"

"""The parts of a model: embeddings, widths, ids, seen interactions and the search config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings.parts import SEARCH_CONFIG, check_matrix, check_types, replace_search_sections
from nestrec.errors import DataError, OptionError
from nestrec.item_table.item_table import ItemTable, check_item_table
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.id_lookup import Unknown
from nestrec.retrieval.item_filters import Asked, ItemChoice, ItemFilters, look_up_filters
from nestrec.retrieval.retriever import Retriever
from nestrec.retrieval.search_config import SearchConfig
from nestrec.widths import Widths


@dataclass(frozen=True, eq=False, repr=False)
class ModelParts:
    """What `NestedEmbeddings` holds, checked to fit together, and how it searches."""

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
    item_table: ItemTable | None = None
    """Titles and other columns of the items; see `with_item_table`."""

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
        check_item_table(self.item_table, self.items)

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

    def at(self, width: int) -> Self:
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

    def with_search_config(self, config: SearchConfig | None, index: CoarseIndex | None) -> Self:
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

    def _filters(
        self, asked: Asked, allow: ItemChoice | None, deny: ItemChoice | None, where: str | None, unknown: Unknown
    ) -> ItemFilters:
        """Return the filters of a request; raise OptionError for a condition on a model without an item table."""
        if where is not None and self.item_table is None:
            raise OptionError(
                "where needs an item table, and the model has none; attach one with nestrec items MODEL FILE, or "
                "model.with_item_table(table)",
                option="where",
            )
        matching = None if where is None or self.item_table is None else self.item_table.select_rows(where)
        return look_up_filters(self.items, asked, allow, deny, unknown, matching)

    def _width(self, width: int | None) -> int:
        if width is None:
            return self.embedding_size
        return self.widths.values[self.widths.level_of(width)]

    def __repr__(self) -> str:
        """Show the sizes."""
        widths = ", ".join(map(str, self.widths))
        return f"<{type(self).__name__}: {self.n_users} users, {self.n_items} items, widths {widths}>"

"""The parts of a model: embeddings, widths, ids, seen interactions and the search config."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field, replace
from functools import cached_property
from typing import Any, Self

from nestrec.arguments import check_keywords
from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings.parts import SEARCH_CONFIG, check_codes, check_matrix, check_types, replace_search_sections
from nestrec.errors import DataError, OptionError
from nestrec.item_table.item_table import ItemTable, check_item_table
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.id_lookup import Unknown
from nestrec.retrieval.item_filters import Asked, ItemChoice, ItemFilters, look_up_filters
from nestrec.retrieval.nested_codes import NestedCodes, build_codes
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
    codes: NestedCodes | None = None
    """Compact codes of the items, by which every width is searched; see `with_codes`. They are not saved."""

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
        check_codes(self.codes, self.widths, len(self.items))

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
        codes = None if self.codes is None else self.codes.up_to(size)
        return replace(kept, user_embeddings=users, item_embeddings=items, widths=widths, codes=codes, check=False)

    @property
    def search_config(self) -> SearchConfig | None:
        """How `recommend` finds items, as chosen by `nestrec.plan`; None: it scores all of them."""
        values = self.manifest.get(SEARCH_CONFIG)
        return None if values is None else SearchConfig.from_manifest(values)

    def with_search_config(self, config: SearchConfig | None, index: CoarseIndex | None) -> Self:
        """Return the same model with a search config and the coarse index it needs; None for both removes them."""
        sections = replace_search_sections(self.manifest, config, index)
        return replace(self, manifest=sections, coarse_index=index, check=False)

    @check_keywords
    def with_codes(self, *, threads: int | None = None) -> Self:
        """Return the same model with compact codes of its items, which make exact searches fast at every width.

        A server calls it after each load. The answers of `recommend` and `recommend_for` are those of the full scan, to
        the bit; a search config still goes first where it applies. Codes take about a byte per dimension of an item and
        seconds to build for a million items. They are not saved with the model; in small catalogues they are not used.

        `threads`: None uses all processors.

        >>> import nestrec
        >>> interactions = nestrec.SyntheticData(n_users=60, n_items=200).generate(seed=0).interactions
        >>> model = nestrec.Trainer(widths=(4, 8), epochs=3).fit(interactions, validation=None).with_codes()
        >>> model.codes
        <NestedCodes: 200 items, widths 4, 8, 4024 bytes>
        """
        return replace(self, codes=build_codes(self.item_embeddings, self.widths, threads), check=False)

    @cached_property
    def _configured_retriever(self) -> Retriever:
        config = self.search_config or SearchConfig(self.embedding_size)
        return config.retriever(self.item_embeddings, self.coarse_index)

    def retriever(self, width: int | None = None, *, k: int = 1, exact: bool = False, n_queries: int = 1) -> Retriever:
        """Return the retriever for the best k items of a width: by the search config, by the codes, or the full scan.

        A search config applies at its own width and up to the k it was measured for, and to batches of queries only
        where it was measured to be faster than the full scan. `exact` replaces its shortlists by a certified exact
        search: of the codes, if the model has some, or of its coarse index. Codes apply at every width, in catalogues
        where they are faster.
        """
        size, config, codes = self._width(width), self.search_config, self.codes
        configured = config is not None and config.applies_to(size, k, n_queries)
        if configured and config is not None and (config.exact or not exact):
            return self._configured_retriever
        if codes is not None and codes.applies_to(n_queries):
            return Exact(self.item_embeddings, codes.indexes[size])
        if configured and self.coarse_index is not None:
            return Exact(self.item_embeddings, self.coarse_index)
        return FullScan(self.item_embeddings, size)

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

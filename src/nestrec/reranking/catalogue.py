"""What rerankers know of the items of a model: prefixes, the item table and groups."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from nestrec.arrays import Float32Array, Float64Array
from nestrec.item_table.item_table import ItemTable
from nestrec.widths import Widths


@dataclass(frozen=True, eq=False)
class Catalogue:
    """The items of a model."""

    embeddings: Float32Array  # (n_items, embedding_size)
    widths: Widths
    table: ItemTable | None
    _shares: dict[Groups, Float64Array] = field(default_factory=dict)  # found once

    def prefixes(self, width: int | None) -> Float32Array:
        """Return the items' prefixes of a trained width, None for the narrowest; raise OptionError for another."""
        size = self.widths.values[0 if width is None else self.widths.level_of(width)]
        return self.embeddings[:, :size]

    def shares_of(self, groups: Groups) -> Float64Array:
        """Return the share of each item in each group, (n_items, n_groups)."""
        if groups not in self._shares:
            self._shares[groups] = groups.shares(self)
        return self._shares[groups]


@runtime_checkable
class Groups(Protocol):
    """A division of the items; an item may be in several groups, or in none. Hashable."""

    def shares(self, catalogue: Catalogue) -> Float64Array:
        """Return the share of each item that is in each group, (n_items, n_groups): a row sums to 1 or to 0."""

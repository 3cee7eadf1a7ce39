"""Groups of items: topics, which are clusters of a narrow prefix, or the categories of the item table."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arguments import check_integer
from nestrec.arrays import Float64Array
from nestrec.errors import OptionError
from nestrec.reranking.catalogue import Catalogue
from nestrec.retrieval.clusters import Clusters
from nestrec.retrieval.width_scan import scale_to_norm_1


@dataclass(frozen=True)
class Topics:
    """K-means clusters of the items' directions at a narrow width.

    Raises OptionError for less than one.
    """

    n: int = 16
    """Number of clusters; fewer for fewer items."""
    width: int | None = None
    """Trained width; None: the narrowest."""

    def __post_init__(self) -> None:
        """Validate the numbers."""
        if check_integer("topics", self.n, 16) < 1:
            raise OptionError(f"topics must be 1 or more, got {self.n}", option="topics")

    def shares(self, catalogue: Catalogue) -> Float64Array:
        """Return 1 for the cluster of each item, (n_items, n_clusters)."""
        prefixes = scale_to_norm_1(catalogue.prefixes(self.width)).astype(np.float64)
        labels, centroids = Clusters(self.n, prefixes.shape[1]).fit(prefixes)
        members: Float64Array = np.eye(len(centroids))[labels]
        return members


@dataclass(frozen=True)
class Categories:
    """Values of a column of the item table, such as genres; an item with a list is divided among its values."""

    column: str
    """Name of the column."""

    def shares(self, catalogue: Catalogue) -> Float64Array:
        """Return the share of each item in each category, (n_items, n_categories)."""
        if catalogue.table is None:
            raise OptionError(
                "categories need an item table, and the model has none; attach one with nestrec items MODEL FILE",
                option="groups",
            )
        rows, names = catalogue.table.values_of(self.column)
        categories, columns = np.unique(names, return_inverse=True)
        shares = np.zeros((len(catalogue.embeddings), max(1, len(categories))))
        shares[rows, columns] = 1
        divided: Float64Array = shares / np.maximum(shares.sum(axis=1, keepdims=True), 1)
        return divided

"""Check that interactions contain something to learn from."""

from __future__ import annotations

import numpy as np

from nestrec.data.interactions import Interactions
from nestrec.errors import DataError


def check_learnable(interactions: Interactions) -> None:
    """Raise DataError if no user has both a positive and a negative item."""
    n_items = interactions.n_items
    if interactions.n_interactions == 0:
        raise DataError("training needs at least 1 interaction, got none; check the file and its filters")
    if n_items < 2:
        raise DataError(f"training needs at least 2 items, got {n_items}")
    sizes = np.diff(interactions.indptr)
    if bool(np.all((sizes == 0) | (sizes >= n_items))):
        raise DataError(
            f"at least one user must have an item without interaction, but every user has all {n_items} items; "
            "raise min_rating or add items",
            mentions=("min_rating",),
        )

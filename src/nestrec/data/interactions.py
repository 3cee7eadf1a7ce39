"""Observed events as a CSR matrix of users by items: who interacted with what."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nestrec.data.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Interactions:
    """Each (user, item) pair once. Rows are users; a row's items ascend."""

    users: Vocabulary
    items: Vocabulary
    indptr: npt.NDArray[np.int64]  # (n_users + 1,)
    indices: npt.NDArray[np.int32]  # (n_interactions,) item_index
    timestamps: npt.NDArray[np.float64] | None = None  # (n_interactions,) seconds; kept where a time split needs them

    @property
    def n_users(self) -> int:
        """Rows, users without interactions included."""
        return len(self.indptr) - 1

    @property
    def n_items(self) -> int:
        """Columns, items without interactions included."""
        return len(self.items)

    @property
    def n_interactions(self) -> int:
        """Distinct (user, item) pairs."""
        return len(self.indices)

"""Observed events as a CSR matrix of users by items: who interacted with what."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Each (user, item) pair once. Rows are users; a row's items ascend.

    >>> import numpy as np
    >>> from nestrec import Interactions, Vocabulary
    >>> users, items = Vocabulary.from_ids(["ann", "bob"]), Vocabulary.from_ids([10, 20, 30])
    >>> Interactions(users, items, indptr=np.array([0, 2, 3]), indices=np.array([0, 2, 1], dtype=np.int32))
    <Interactions: 2 users, 3 items, 3 interactions>
    """

    users: Vocabulary
    items: Vocabulary
    indptr: npt.NDArray[np.int64]  # (n_users + 1,)
    indices: npt.NDArray[np.int32]  # (n_interactions,) item_index
    timestamps: npt.NDArray[np.float64] | None = None  # (n_interactions,) seconds; kept where a time split needs them

    def __post_init__(self) -> None:
        """Check types and lengths, not the order of the items: that would cost a pass over the data at every step."""
        if self.indptr.dtype != np.int64 or self.indices.dtype != np.int32:
            raise DataError(
                f"interactions take int64 indptr and int32 indices, not {self.indptr.dtype} and {self.indices.dtype}"
            )
        if len(self.indptr) != len(self.users) + 1 or self.indptr[0] != 0 or self.indptr[-1] != len(self.indices):
            raise DataError(
                f"indptr of {len(self.indptr)} values does not fit {len(self.users)} users and {len(self.indices)} "
                "indices; it has one value more than there are users and runs from 0 to the number of indices"
            )
        if self.timestamps is not None and len(self.timestamps) != len(self.indices):
            raise DataError(f"{len(self.timestamps)} timestamps do not fit {len(self.indices)} interactions")

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

    def to_scipy(self) -> csr_array:
        """Return the matrix of ones, (n_users, n_items) float32."""
        from scipy.sparse import csr_array

        ones = np.ones(self.n_interactions, dtype=np.float32)
        return csr_array((ones, self.indices, self.indptr), shape=(self.n_users, self.n_items))

    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of ids and pairs; neither row order nor time enters."""
        digest = hashlib.sha256(f"{self.users.fingerprint()} {self.items.fingerprint()}\n".encode())
        digest.update(np.ascontiguousarray(self.indptr, dtype="<i8").data)
        digest.update(np.ascontiguousarray(self.indices, dtype="<i4").data)
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"<Interactions: {self.n_users} users, {self.n_items} items, {self.n_interactions} interactions>"

"""Observed events as a CSR matrix of users by items: who interacted with what."""

from __future__ import annotations

import hashlib
from dataclasses import InitVar, dataclass
from typing import TYPE_CHECKING

import numpy as np

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.data.read_report import ReadReport
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError

if TYPE_CHECKING:
    from scipy.sparse import csr_array


_PAIRS_AT_ONCE = 1 << 18  # checked together: they stay in the processor's cache from one pass to the next


@dataclass(frozen=True, eq=False, repr=False)
class Interactions:
    """Each (user, item) pair once. Rows are users; a row's items ascend.

    Raises DataError where that is not so: everything that kernels rely on is checked here, once.

    >>> import numpy as np
    >>> from nestrec import Interactions, Vocabulary
    >>> users, items = Vocabulary.from_ids(["ann", "bob"]), Vocabulary.from_ids([10, 20, 30])
    >>> Interactions(users, items, indptr=np.array([0, 2, 3]), indices=np.array([0, 2, 1], dtype=np.int32))
    <Interactions: 2 users, 3 items, 3 interactions>
    """

    users: Vocabulary
    items: Vocabulary
    indptr: Int64Array  # (n_users + 1,)
    indices: Int32Array  # (n_interactions,) item_index
    timestamps: Float64Array | None = None  # (n_interactions,) seconds; kept where a time split needs them
    weights: Float32Array | None = None  # (n_interactions,) above 0: importance in training; None: all 1
    dislikes: Interactions | None = None  # pairs of the same users and items that are negative feedback
    report: ReadReport | None = None  # of the reading; None for subsets, splits and what was not read from a source
    check: InitVar[bool] = True  # False: `check_indices` is left to the caller, as for a file too large to read at once

    def __post_init__(self, check: bool) -> None:
        """Check types, lengths, ranges and order, since kernels follow these indices without looking."""
        _check_types(self)
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
        _check_signals(self)
        if (self.indptr[1:] < self.indptr[:-1]).any():
            raise DataError("indptr must ascend from 0 to the number of indices, as in a CSR matrix; sort the rows")
        if check:
            self.check_indices()

    def check_indices(self) -> None:
        """Raise DataError unless indices are from 0 to n_items - 1 and those of each row ascend; reads all of them.

        So does it unless weights are finite and above 0.
        """
        _check_rows(self.indptr, self.indices, len(self.items))
        if self.weights is not None:
            _check_weights(self.weights)

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
        """Return the SHA-256 (hexadecimal) of ids, pairs, weights and dislikes; neither row order nor time enters."""
        digest = hashlib.sha256(f"{self.users.fingerprint()} {self.items.fingerprint()}\n".encode())
        digest.update(np.ascontiguousarray(self.indptr, dtype="<i8").data)
        digest.update(np.ascontiguousarray(self.indices, dtype="<i4").data)
        if self.weights is not None:
            digest.update(np.ascontiguousarray(self.weights, dtype="<f4").data)
        if self.dislikes is not None:
            digest.update(f"dislikes {self.dislikes.fingerprint()}".encode())
        return digest.hexdigest()

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"<Interactions: {self.n_users} users, {self.n_items} items, {self.n_interactions} interactions>"


def _check_types(given: Interactions) -> None:
    """Raise DataError unless users and items are vocabularies and the arrays are one-dimensional."""
    for name in ("users", "items"):
        if not isinstance(getattr(given, name), Vocabulary):
            found = type(getattr(given, name)).__name__
            raise DataError(f"{name} must be a Vocabulary, got {found}; make one with Vocabulary.from_ids(ids)")
    for name in ("indptr", "indices"):
        array = getattr(given, name)
        if not isinstance(array, np.ndarray) or array.ndim != 1:
            shape = f"shape {array.shape}" if isinstance(array, np.ndarray) else type(array).__name__
            raise DataError(f"{name} must be a numpy array of one dimension, got {shape}")


def _check_signals(given: Interactions) -> None:
    """Raise DataError unless weights are float32, one a pair, and dislikes are pairs of the same users and items."""
    weights, dislikes = given.weights, given.dislikes
    if weights is not None and not _are_aligned(weights, given.indices):
        kind = f"{weights.dtype} of shape {weights.shape}" if isinstance(weights, np.ndarray) else repr(type(weights))
        raise DataError(
            f"weights must be a numpy array of float32, one for each of the {len(given.indices)} interactions, got "
            f"{kind}"
        )
    if dislikes is not None:
        if not isinstance(dislikes, Interactions):
            raise DataError(f"dislikes must be Interactions, got {type(dislikes).__name__}")
        if dislikes.users is not given.users or dislikes.items is not given.items:
            raise DataError(
                "dislikes must have the users and items of the interactions, the same Vocabulary objects; "
                "nestrec.data.dislikes.with_dislikes matches them by id"
            )


def _are_aligned(weights: object, indices: Int32Array) -> bool:
    return isinstance(weights, np.ndarray) and weights.dtype == np.float32 and weights.shape == indices.shape


def _check_weights(weights: Float32Array) -> None:
    """Raise DataError unless all are finite and above 0."""
    for start in range(0, len(weights), _PAIRS_AT_ONCE):
        some = weights[start : start + _PAIRS_AT_ONCE]
        bad = ~(np.isfinite(some) & (some > 0))
        if bad.any():
            raise DataError(
                f"weights must be finite and above 0, got {some[bad][0]}; leave out what has no weight, and give "
                "negative feedback as dislikes"
            )


def _check_rows(indptr: Int64Array, indices: Int32Array, n_items: int) -> None:
    """Raise DataError unless items are from 0 to n_items - 1 and the items of each row ascend."""
    for start in range(0, len(indices), _PAIRS_AT_ONCE):
        some = indices[start : start + _PAIRS_AT_ONCE + 1]  # and the next one, which must be greater too
        if some.min() < 0 or some.max() >= n_items:
            raise DataError(f"item indices must be from 0 to {n_items - 1}, got {some.min()} to {some.max()}")
        rising = some[1:] > some[:-1]
        first, last = np.searchsorted(indptr, [start + 1, start + len(some)])
        rising[indptr[first:last] - start - 1] = True  # where a row begins, anything may stand
        if not rising.all():
            place = start + 1 + int(np.argmin(rising))
            raise DataError(
                f"the items of a row must ascend, each once; got {indices[place - 1]} before {indices[place]} in row "
                f"{int(np.searchsorted(indptr, place, side='right')) - 1}; sort each row and leave out repeats"
            )

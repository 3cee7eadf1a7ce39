"""The validation split, which chooses the epoch, the regularization and the rotation, without cold users and items.

Users and items without training interactions have no vectors (`nestrec.data.cold_ids`) and would add noise to the
metrics. They are left out, counted by reason, and reported to the callbacks and in the manifest.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from nestrec.data.cold_ids import drop_cold, restrict_to
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import LeaveLastOut, RandomSplit, Split, TimeSplit
from nestrec.errors import DataError
from nestrec.kernels.search.hits import count_common
from nestrec.training.callbacks import Callback

FEWEST_USERS = 50  # with fewer, the metric is mostly noise


@dataclass(frozen=True)
class Coverage:
    """How much of the validation part can be evaluated, and why the rest cannot."""

    users: int  # with validation interactions that can be evaluated
    interactions: int
    users_left_out: int  # with validation interactions none of which can be evaluated
    cold_user_interactions: int  # of users without training interactions
    cold_item_interactions: int  # of the other users, with items without training interactions
    training_interactions: int  # that are training interactions too

    @property
    def interactions_left_out(self) -> int:
        """Validation interactions that are not evaluated."""
        return self.cold_user_interactions + self.cold_item_interactions + self.training_interactions

    def as_dict(self) -> dict[str, int]:
        """Return plain values for a manifest."""
        return asdict(self)

    def reasons(self) -> Iterator[str]:
        """Yield each reason with its count of interactions."""
        if self.cold_user_interactions:
            yield f"{self.cold_user_interactions:,} of users without training interactions"
        if self.cold_item_interactions:
            yield f"{self.cold_item_interactions:,} with items without training interactions"
        if self.training_interactions:
            yield f"{self.training_interactions:,} that are training interactions too"


class ValidationPart(NamedTuple):
    """Training and held-out interactions with the same user and item indices."""

    train: Interactions  # every user and item has an interaction
    held_out: Interactions
    coverage: Coverage


def carve(validation: Split | Interactions, interactions: Interactions) -> ValidationPart:
    """Split the interactions, or take the given ones, which stay in training too, as the held-out part.

    Raises DataError if no held-out interaction can be evaluated.
    """
    if isinstance(validation, Interactions):
        train, held_out = drop_cold(interactions), validation
    else:
        train, held_out = validation.split(interactions)
        train = drop_cold(train)
    known = restrict_to(held_out, train.users, train.items)
    fresh = _without(known, train)
    coverage = _coverage(train, held_out, known, fresh)
    if fresh.n_interactions == 0:
        raise DataError(_nothing_left(validation, coverage))
    return ValidationPart(train, fresh, coverage)


def describe_validation(validation: Split | Interactions | None) -> dict[str, Any]:
    """Return the manifest's description of how the validation part was chosen."""
    if validation is None:
        return {"kind": "none"}
    if isinstance(validation, Interactions):
        return {"kind": "given", "fingerprint": validation.fingerprint(), "n_interactions": validation.n_interactions}
    return {"kind": type(validation).__name__, **vars(validation)}


def report_coverage(validation: Split | Interactions, coverage: Coverage, callbacks: Callback) -> None:
    """Report what was left out and why; warn if few users are left."""
    left_out = coverage.interactions_left_out
    if left_out:
        callbacks.on_message(
            f"validation: {coverage.users:,} of {coverage.users + coverage.users_left_out:,} users and "
            f"{coverage.interactions:,} of {coverage.interactions + left_out:,} validation interactions can be "
            f"evaluated; left out: {', '.join(coverage.reasons())}"
        )
    if coverage.users < FEWEST_USERS:
        users = "only 1 user is" if coverage.users == 1 else f"only {coverage.users} users are"
        callbacks.on_message(
            f"warning: {users} left to choose the epoch, so the metric is mostly noise; {_remedy(validation)}"
        )


def _without(held_out: Interactions, train: Interactions) -> Interactions:
    """Return the held-out interactions that are not training interactions; both with the same indices."""
    if not _n_common(held_out, train):
        return held_out
    held_keys, train_keys = _keys(held_out), _keys(train)
    positions = np.minimum(np.searchsorted(train_keys, held_keys), len(train_keys) - 1)
    fresh = train_keys[positions] != held_keys
    counts = np.concatenate([[0], np.cumsum(fresh)])
    times = None if held_out.timestamps is None else held_out.timestamps[fresh]
    weights = None if held_out.weights is None else held_out.weights[fresh]
    indptr = counts[held_out.indptr].astype(np.int64)
    return Interactions(held_out.users, held_out.items, indptr, held_out.indices[fresh], times, weights=weights)


def _n_common(held_out: Interactions, train: Interactions) -> int:
    rows = np.arange(train.n_users)
    return count_common(held_out.indptr, held_out.indices, rows, train.indptr, train.indices)


def _keys(interactions: Interactions) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return an ascending int64 key for each pair."""
    rows = np.repeat(np.arange(interactions.n_users, dtype=np.int64), np.diff(interactions.indptr))
    rows *= interactions.n_items
    rows += interactions.indices
    return rows


def _coverage(train: Interactions, held_out: Interactions, known: Interactions, fresh: Interactions) -> Coverage:
    sizes = np.diff(held_out.indptr)
    cold = train.users.index_of(held_out.users.ids, unknown="mark") < 0
    of_cold_users = int(sizes[cold].sum())
    users = int(np.count_nonzero(np.diff(fresh.indptr)))
    return Coverage(
        users=users,
        interactions=fresh.n_interactions,
        users_left_out=int(np.count_nonzero(sizes)) - users,
        cold_user_interactions=of_cold_users,
        cold_item_interactions=held_out.n_interactions - of_cold_users - known.n_interactions,
        training_interactions=known.n_interactions - fresh.n_interactions,
    )


def _nothing_left(validation: Split | Interactions, coverage: Coverage) -> str:
    n_total = coverage.interactions_left_out
    if n_total == 0:
        return "the validation part must have interactions, got none; give some, or train without validation"
    return (
        f"at least one validation interaction must be usable, got none of {n_total:,}: "
        f"{', '.join(coverage.reasons())}; {_remedy(validation)}, or train without validation"
    )


def _remedy(validation: Split | Interactions) -> str:
    """Return how to keep more users, in Python and on the command line."""
    if isinstance(validation, Interactions):
        return "give held-out interactions of users and items that occur in training, under the same ids"
    if isinstance(validation, TimeSplit):
        return (
            "hold out the last interaction of every user (LeaveLastOut(), --validation-split leave-last-out) or a "
            "random part (RandomSplit(0.1), --validation-split random), or give a larger fraction"
        )
    if isinstance(validation, LeaveLastOut):
        return "hold out a random part (RandomSplit(0.1), --validation-split random)"
    if isinstance(validation, RandomSplit):
        return "hold out a larger fraction, or set the number of epochs and train without validation"
    return "hold out more, as with RandomSplit(0.1)"

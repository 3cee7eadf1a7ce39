"""The part of the data that chooses the epoch: how it is carved out, ranked and reduced to one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import Split
from nestrec.errors import DataError, OptionError
from nestrec.evaluation import evaluate_arrays
from nestrec.evaluation.metrics import METRICS
from nestrec.training.listener import Listener
from nestrec.widths import Widths

FloatMatrix = npt.NDArray[np.float32]

_BESIDE = ("recall", "ndcg")  # told at the same cutoff, whatever chooses


@dataclass(frozen=True)
class Metric:
    """A metric at a cutoff, as in `ndcg@20`."""

    name: str
    k: int

    @classmethod
    def parse(cls, label: str) -> Metric:
        """Read a label; raise OptionError for an unknown metric or a cutoff that is no positive whole number."""
        name, _, cutoff = label.partition("@")
        if name not in METRICS or not cutoff.isdecimal() or int(cutoff) < 1:
            choices = ", ".join(METRICS)
            raise OptionError(f"metric {label!r} is not known; give one of {choices} and a cutoff, as in ndcg@20")
        return cls(name, int(cutoff))

    def __str__(self) -> str:
        return f"{self.name}@{self.k}"


@dataclass(frozen=True, eq=False)
class Validation:
    """Training interactions and held-out ones, in the same rows and columns."""

    train: Interactions
    held_out: Interactions
    metric: Metric
    widths: Widths
    threads: int | None

    def __call__(self, users: FloatMatrix, items: FloatMatrix) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the metric's mean over the widths)."""
        values = evaluate_arrays(
            users,
            items,
            self.widths.values,
            self.train.indptr,
            self.train.indices,
            self.held_out.indptr,
            self.held_out.indices,
            metrics=tuple(dict.fromkeys((self.metric.name, *_BESIDE))),
            cutoffs=(self.metric.k,),
            threads=self.threads,
        )
        return dict(zip(self.widths, values, strict=True)), float(np.mean([of[str(self.metric)] for of in values]))


def carved(validation: Split | Interactions, interactions: Interactions) -> tuple[Interactions, Interactions]:
    """Return (train, held out) in the same rows and columns; interactions that are given are not taken from training.

    Raises DataError where the given ones hold no pair of a user and an item of the training data.
    """
    if not isinstance(validation, Interactions):
        return validation.split(interactions)
    return interactions, _in_rows_of(interactions, validation)


def described(validation: Split | Interactions | None) -> Mapping[str, Any]:
    """Return what a manifest says of it."""
    if validation is None:
        return {"kind": "none"}
    if isinstance(validation, Interactions):
        return {"kind": "given", "fingerprint": validation.fingerprint(), "n_interactions": validation.n_interactions}
    return {"kind": type(validation).__name__, **vars(validation)}


def tell_unmatched(given: Interactions, held_out: Interactions, listener: Listener) -> None:
    """Tell how many of the given interactions cannot be ranked."""
    n_lost = given.n_interactions - held_out.n_interactions
    if n_lost:
        listener.note(
            f"{n_lost:,} of {given.n_interactions:,} validation interactions are of users or items that do not occur "
            "in training; they cannot be ranked and do not help to choose the epoch"
        )


def _in_rows_of(interactions: Interactions, given: Interactions) -> Interactions:
    user_of = np.repeat(interactions.users.index_of(given.users.ids), np.diff(given.indptr))
    item_of = interactions.items.index_of(given.items.ids)[given.indices]
    known = (user_of >= 0) & (item_of >= 0)
    if not known.any():
        raise DataError(
            f"none of the {given.n_interactions:,} validation interactions is of a user and an item that occur in "
            "training; give some that are, under the same ids"
        )
    user_of, item_of = user_of[known], item_of[known]
    order = np.lexsort((item_of, user_of))
    indptr = np.zeros(interactions.n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(user_of, minlength=interactions.n_users), out=indptr[1:])
    return Interactions(interactions.users, interactions.items, indptr, item_of[order].astype(np.int32))

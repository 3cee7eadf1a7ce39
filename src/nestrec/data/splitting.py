"""Split interactions into a training part and a held-out part.

Every split is a function of the interactions, its options and nothing else: interactions are canonical (ids in order,
each pair once), so neither the order of the rows read nor the number of threads can enter. Both parts keep the
vocabularies, so an index means the same in each. Files that are divided already need nothing from here: read each by
itself and pass the one as training data, the other as validation or test data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from nestrec.arguments import check_integer, check_number, require
from nestrec.arrays import BoolArray, Float64Array
from nestrec.data.interactions import Interactions
from nestrec.errors import DataError, OptionError
from nestrec.field_docs import show_field_docs
from nestrec.kernels.data import splitting as kernel

Parts = tuple[Interactions, Interactions]

LARGEST_SEED = 2**63 - 1


class Split(Protocol):
    """Protocol of splits: divide interactions in two."""

    def split(self, interactions: Interactions) -> Parts:
        """Return (train, held_out), which share the vocabularies and together hold every interaction once.

        Raises DataError where nothing can be held out.
        """
        ...


@show_field_docs
@dataclass(frozen=True)
class RandomSplit:
    """Hold out a share of the interactions, drawn uniformly; each user keeps at least one.

    Users with a single interaction keep it and do not count. Of the others' interactions exactly `fraction` (rounded,
    at least one) is held out: they are taken in an order that depends on the seed alone, passing over the last one a
    user has left.

    >>> from scipy.sparse import csr_array
    >>> from nestrec.data.reading import read_interactions
    >>> interactions = read_interactions(csr_array([[1, 1, 1, 1], [0, 1, 0, 0]]))
    >>> train, held_out = RandomSplit(fraction=0.5, seed=7).split(interactions)
    >>> train.n_interactions, held_out.n_interactions
    (3, 2)
    """

    fraction: float
    seed: int = 0

    def __post_init__(self) -> None:
        """Check both values; raise OptionError with the rule."""
        _check_fraction(self.fraction)
        require(0 <= check_integer("seed", self.seed, 7) <= LARGEST_SEED, "seed", "be from 0 to 2^63 - 1", self.seed)

    def split(self, interactions: Interactions) -> Parts:
        """Return (train, held_out); raise DataError where no user has two interactions."""
        sizes = np.diff(interactions.indptr)
        n_total, n_free = interactions.n_interactions, interactions.n_interactions - int(np.count_nonzero(sizes))
        if n_free == 0:
            raise DataError(
                f"none of the {n_total:,} interactions can be held out, for no user has two of them; give a file of "
                "held-out interactions (validation), or validation=None",
                mentions=("validation", "validation=None"),
            )
        n_wanted = round(self.fraction * (n_total - int(np.count_nonzero(sizes == 1))))
        marks = np.zeros(n_total, dtype=np.bool_)
        kernel.mark_random(interactions.indptr, self.seed, min(max(n_wanted, 1), n_free), marks)
        return split_by_mask(interactions, marks)


@show_field_docs
@dataclass(frozen=True)
class TimeSplit:
    """Hold out the latest interactions: those from one moment on, the same for all users.

    Give `at`, that moment (seconds, as in the data), or `fraction`, the share to hold out: then the cut falls between
    two different times, where the share comes nearest (the smaller held-out part of two equally near). Equal times are
    never parted. Users whose first interaction is after the cut have none in training. Dislikes from the moment on
    leave the training part too.

    >>> import numpy as np
    >>> from nestrec import Interactions, Vocabulary
    >>> ids = Vocabulary.from_ids([0, 1, 2, 3])
    >>> when = np.array([10.0, 20.0, 30.0, 40.0])
    >>> log = Interactions(Vocabulary.from_ids(["ann"]), ids, np.array([0, 4]), np.arange(4, dtype=np.int32), when)
    >>> train, held_out = TimeSplit(fraction=0.25).split(log)
    >>> held_out.timestamps.tolist()
    [40.0]
    """

    fraction: float | None = None
    at: float | None = None

    def __post_init__(self) -> None:
        """Check that one of both is given and fits; raise OptionError with the rule."""
        if (self.fraction is None) == (self.at is None):
            raise OptionError(
                f"a split by time takes either fraction or at; got fraction={self.fraction}, at={self.at}"
            )
        if self.fraction is not None:
            _check_fraction(self.fraction)
        elif self.at is not None:
            rule = "be a finite time in seconds, at which held-out interactions begin"
            require(math.isfinite(check_number("at", self.at, 1.7e9)), "at", rule, self.at)

    def split(self, interactions: Interactions) -> Parts:
        """Return (train, held_out); raise DataError without timestamps, or where one part would be empty."""
        times, cut = _require_times(interactions), self.cut(interactions)
        marks: BoolArray = times >= cut
        n_held_out = int(np.count_nonzero(marks))
        if n_held_out in (0, len(marks)):
            which = "no interaction is" if n_held_out == 0 else "all interactions are"
            raise DataError(
                f"{which} at time {self.at} or later; the times run from {times.min():.15g} to {times.max():.15g}, so "
                "choose a moment between them"
            )
        train, held_out = split_by_mask(interactions, marks)
        return _drop_later_dislikes(train, cut), held_out

    def cut(self, interactions: Interactions) -> float:
        """Return the moment from which on interactions are held out, in seconds."""
        return self.at if self.at is not None else _find_nearest_cut(_require_times(interactions), self.fraction or 0.0)


@show_field_docs
@dataclass(frozen=True)
class LeaveLastOut:
    """Hold out the last n interactions of every user with more than n; of equal times the larger item index is last.

    >>> import numpy as np
    >>> from nestrec import Interactions, Vocabulary
    >>> ids = Vocabulary.from_ids([0, 1, 2, 3])
    >>> when = np.array([10.0, 20.0, 30.0, 40.0])
    >>> log = Interactions(Vocabulary.from_ids(["ann"]), ids, np.array([0, 4]), np.arange(4, dtype=np.int32), when)
    >>> train, held_out = LeaveLastOut(n=2).split(log)
    >>> held_out.timestamps.tolist()
    [30.0, 40.0]
    """

    n: int = 1

    def __post_init__(self) -> None:
        """Check n; raise OptionError with the rule."""
        require(check_integer("n", self.n, 1) >= 1, "n", "be at least 1", self.n)

    def split(self, interactions: Interactions) -> Parts:
        """Return (train, held_out); raise DataError without timestamps, or where no user has more than n."""
        times = _require_times(interactions)
        marks = np.zeros(interactions.n_interactions, dtype=np.bool_)
        kernel.mark_last(interactions.indptr, times, self.n, marks)
        if not marks.any():
            raise DataError(
                f"no user has more than {self.n} interactions, so none can be left out; choose a smaller n or another "
                "split"
            )
        return split_by_mask(interactions, marks)


def split_by_mask(
    interactions: Interactions,
    held_out: BoolArray,  # (n_interactions,) in the order of `indices`
) -> Parts:
    """Return (the rest, the marked interactions), both with all users and items; dislikes stay with the rest."""
    marked = select_interactions(replace(interactions, dislikes=None, check=False), held_out)
    return select_interactions(interactions, ~held_out), marked


def select_interactions(interactions: Interactions, marks: BoolArray) -> Interactions:
    """Return the marked interactions, (n_interactions,) in the order of `indices`, with all users and items.

    All dislikes stay.
    """
    indptr = np.empty_like(interactions.indptr)
    kernel.count_marked(interactions.indptr, marks, indptr)
    times = None if interactions.timestamps is None else interactions.timestamps[marks]
    weights = None if interactions.weights is None else interactions.weights[marks]
    indices, dislikes = interactions.indices[marks], interactions.dislikes
    return Interactions(
        interactions.users, interactions.items, indptr, indices, times, weights=weights, dislikes=dislikes
    )


def _drop_later_dislikes(train: Interactions, cut: float) -> Interactions:
    """Return the interactions without dislikes from the moment on, which training must not know."""
    dislikes = train.dislikes
    if dislikes is None or dislikes.timestamps is None:
        return train
    return replace(train, dislikes=select_interactions(dislikes, dislikes.timestamps < cut), check=False)


def _find_nearest_cut(times: Float64Array, fraction: float) -> float:
    """Return the time t for which the share of times >= t is nearest to the fraction and both parts hold something."""
    n_wanted = fraction * len(times)
    place = min(max(len(times) - round(n_wanted), 0), len(times) - 1)
    at = np.partition(times, place)[place]
    n_from, n_after = (int(np.count_nonzero(marks)) for marks in (times >= at, times > at))
    if n_from == len(times) and n_after == 0:
        raise DataError(
            f"all {len(times):,} interactions have the same time {at:.15g}, so time cannot part them; split at random"
        )
    from_is_better = n_after == 0 or abs(n_from - n_wanted) < abs(n_after - n_wanted)
    if from_is_better and n_from < len(times):
        return float(at)
    return float(times[times > at].min())


def _require_times(interactions: Interactions) -> Float64Array:
    times = interactions.timestamps
    if times is None:
        raise DataError(
            "this split needs the time of each interaction and none were kept; read the file with "
            "ReadOptions(keep_timestamps=True), or split at random"
        )
    if interactions.n_interactions == 0:
        raise DataError("there are no interactions to split; give data")
    if not bool(np.isfinite(times).all()):
        raise DataError("some timestamps are not finite numbers, so they have no order; correct or remove these rows")
    return times


def _check_fraction(fraction: object) -> None:
    require(0 < check_number("fraction", fraction, 0.1) < 1, "fraction", "be between 0 and 1", fraction)

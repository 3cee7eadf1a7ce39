"""How sure a mean over users is: bootstrap intervals, and paired differences of two models on the same users.

Percentile bootstrap (Efron and Tibshirani 1993): users are drawn with replacement, again and again, and the spread of
the means is the interval. A draw is a row of counts, so one matrix product resamples all metrics of all widths.

Where there are more than 8192 users, they are first dealt at random into 8192 groups of equal size (give or take one)
and groups are drawn: the spread expected is the same, while time and memory no longer grow with the users.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float64Array
from nestrec.errors import DataError, OptionError

CONFIDENCE = 0.95
_MOST_GROUPS = 8192
_DRAWS_AT_ONCE = 250


@dataclass(frozen=True)
class Difference:
    """The mean of a - b over users, its 95% interval, and how readily chance alone would give as much."""

    mean: float
    low: float
    high: float
    p_value: float  # two-sided


def bootstrap_intervals(
    columns: Sequence[npt.NDArray[np.floating]],  # each (n_users,)
    samples: int = 1000,
    seed: int = 0,
) -> Float64Array:
    """Return the 95% interval of each column's mean over users, (2, n_columns): low, high.

    Raises OptionError where samples is below 1.
    """
    return _interval(_resampled_means(columns, samples, seed))


def paired_difference(
    a: npt.ArrayLike,  # (n_users,) one metric of one model, by user
    b: npt.ArrayLike,  # (n_users,) the same metric of another model, same users in the same order
    samples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Compare two models user by user: mean of a - b, its 95% bootstrap interval, and a two-sided p-value.

    The p-value is the share of draws, shifted to a mean of 0, that lie as far from 0 as what was seen (Efron and
    Tibshirani 1993, chapter 16); the draw that was seen counts as one, so it is never 0.

    >>> difference = paired_difference([0.5, 0.4, 0.9, 0.7], [0.3, 0.4, 0.6, 0.5], samples=1000)
    >>> round(difference.mean, 3), difference.low > 0
    (0.175, True)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise DataError(
            f"values of shapes {first.shape} and {second.shape} cannot be paired; "
            "give one value a user, for the same users in the same order"
        )
    return paired_differences([first - second], samples, seed)[0]


def paired_differences(
    gaps: Sequence[npt.NDArray[np.floating]],  # each (n_users,): a metric of one model less that of another, by user
    samples: int = 10_000,
    seed: int = 0,
) -> list[Difference]:
    """Return `paired_difference` of each column of gaps, all from the same draws of users.

    Raises OptionError where samples is below 1.
    """
    if not gaps:
        return []
    draws = _resampled_means(gaps, samples, seed)  # (samples, n_columns)
    bounds = _interval(draws).T
    return [
        _difference(float(gap.mean(dtype=np.float64)), means, low, high)
        for gap, means, (low, high) in zip(gaps, draws.T, bounds.tolist(), strict=True)
    ]


def _difference(seen: float, means: Float64Array, low: float, high: float) -> Difference:
    # As far, but for rounding: where all gaps are equal every draw is the mean itself.
    as_far = np.count_nonzero(np.abs(means - seen) >= abs(seen) * (1 - 1e-9))
    return Difference(seen, low, high, float((as_far + 1) / (len(means) + 1)))


def _interval(means: Float64Array) -> Float64Array:
    bounds: Float64Array = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return bounds


def _resampled_means(
    columns: Sequence[npt.NDArray[np.floating]], samples: int, seed: int
) -> Float64Array:  # (samples, n_columns)
    if samples < 1:
        raise OptionError(f"{samples} bootstrap samples are too few; give 1 or more, 1000 is usual")
    sums, sizes = _dealt(columns, np.random.default_rng((seed, 0)))
    means = np.empty((samples, len(columns)))
    for start in range(0, samples, _DRAWS_AT_ONCE):
        rng = np.random.default_rng((seed, 1, start))
        weights = _weights(rng, min(_DRAWS_AT_ONCE, samples - start), len(sizes))
        means[start : start + len(weights)] = (weights @ sums) / (weights @ sizes)[:, np.newaxis]
    return means


def _dealt(columns: Sequence[npt.NDArray[np.floating]], rng: np.random.Generator) -> tuple[Float64Array, Float64Array]:
    """Return the sums (n_groups, n_columns) and sizes (n_groups,) of random groups of users."""
    n_users = len(columns[0])
    if n_users <= _MOST_GROUPS:
        return np.stack(columns, axis=1).astype(np.float64), np.ones(n_users)
    group = rng.permutation(n_users) % _MOST_GROUPS
    sums = np.stack([np.bincount(group, column) for column in columns], axis=1).astype(np.float64)
    return sums, np.bincount(group).astype(np.float64)


def _weights(rng: np.random.Generator, n_draws: int, n: int) -> Float64Array:
    """Return how often each of n stands in each draw of n with replacement; (n_draws, n)."""
    drawn = rng.integers(0, n, size=(n_draws, n))
    drawn += n * np.arange(n_draws)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=n_draws * n).reshape(n_draws, n).astype(np.float64)

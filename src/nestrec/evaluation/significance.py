"""Bootstrap confidence intervals over users, and paired significance tests of two models on the same users.

Percentile bootstrap (Efron and Tibshirani 1993): users are resampled with replacement. A resample is a row of counts,
so one matrix product resamples all metrics of all widths.

More than 8192 users are first assigned at random to 8192 groups of equal size (up to one), and groups are resampled:
the expected variance is the same, while time and memory no longer grow with the number of users.
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
_RESAMPLES_AT_ONCE = 250


@dataclass(frozen=True)
class Difference:
    """Mean paired difference a - b over users, its 95% interval and p-value."""

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

    Raises OptionError if samples is below 1.
    """
    return _interval(_resample_means(columns, samples, seed))


def paired_difference(
    a: npt.ArrayLike,  # (n_users,) one metric of one model, by user
    b: npt.ArrayLike,  # (n_users,) the same metric of another model, same users in the same order
    samples: int = 10_000,
    seed: int = 0,
) -> Difference:
    """Return the paired difference of two models: mean of a - b, its 95% bootstrap interval, a two-sided p-value.

    The p-value is the share of resamples, shifted to a mean of 0, at least as far from 0 as the observed mean (Efron
    and Tibshirani 1993, chapter 16); the observed one counts as a resample, so it is never 0.

    >>> difference = paired_difference([0.5, 0.4, 0.9, 0.7], [0.3, 0.4, 0.6, 0.5], samples=1000)
    >>> round(difference.mean, 3), difference.low > 0
    (0.175, True)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise DataError(
            f"values must have equal shapes (n_users,), got {first.shape} and {second.shape}; give one value per user, "
            "for the same users in the same order"
        )
    return paired_differences([first - second], samples, seed)[0]


def paired_differences(
    differences: Sequence[npt.NDArray[np.floating]],  # each (n_users,): metric of one model minus another's
    samples: int = 10_000,
    seed: int = 0,
) -> list[Difference]:
    """Return `paired_difference` of each column of differences, from the same resamples of users.

    Raises OptionError if samples is below 1.
    """
    if not differences:
        return []
    resamples = _resample_means(differences, samples, seed)  # (samples, n_columns)
    bounds = _interval(resamples).T
    return [
        _test_difference(float(column.mean(dtype=np.float64)), means, low, high)
        for column, means, (low, high) in zip(differences, resamples.T, bounds.tolist(), strict=True)
    ]


def _test_difference(observed: float, means: Float64Array, low: float, high: float) -> Difference:
    # At least as far, up to rounding: if all differences are equal, every resample is the mean itself.
    as_far = np.count_nonzero(np.abs(means - observed) >= abs(observed) * (1 - 1e-9))
    return Difference(observed, low, high, float((as_far + 1) / (len(means) + 1)))


def _interval(means: Float64Array) -> Float64Array:
    bounds: Float64Array = np.quantile(means, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return bounds


def _resample_means(
    columns: Sequence[npt.NDArray[np.floating]], samples: int, seed: int
) -> Float64Array:  # (samples, n_columns)
    if samples < 1:
        raise OptionError(f"samples must be 1 or more, got {samples}; 1000 is usual")
    sums, sizes = _group_users(columns, np.random.default_rng((seed, 0)))
    means = np.empty((samples, len(columns)))
    for start in range(0, samples, _RESAMPLES_AT_ONCE):
        rng = np.random.default_rng((seed, 1, start))
        weights = _draw_weights(rng, min(_RESAMPLES_AT_ONCE, samples - start), len(sizes))
        means[start : start + len(weights)] = (weights @ sums) / (weights @ sizes)[:, np.newaxis]
    return means


def _group_users(
    columns: Sequence[npt.NDArray[np.floating]], rng: np.random.Generator
) -> tuple[Float64Array, Float64Array]:
    """Return the sums (n_groups, n_columns) and sizes (n_groups,) of random groups of users."""
    n_users = len(columns[0])
    if n_users <= _MOST_GROUPS:
        return np.stack(columns, axis=1).astype(np.float64), np.ones(n_users)
    group = rng.permutation(n_users) % _MOST_GROUPS
    sums = np.stack([np.bincount(group, column) for column in columns], axis=1).astype(np.float64)
    return sums, np.bincount(group).astype(np.float64)


def _draw_weights(rng: np.random.Generator, n_draws: int, n: int) -> Float64Array:
    """Return how often each of n is drawn in resamples of n with replacement; (n_draws, n)."""
    drawn = rng.integers(0, n, size=(n_draws, n))
    drawn += n * np.arange(n_draws)[:, np.newaxis]
    return np.bincount(drawn.ravel(), minlength=n_draws * n).reshape(n_draws, n).astype(np.float64)

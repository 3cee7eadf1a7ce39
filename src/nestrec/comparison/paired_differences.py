"""Whether nestrec and another model differ: paired over users, and corrected for how often that is asked.

For each metric and each pair of a model and a width the null hypothesis is that the two models have the same mean over
users, where a user's value is the mean over the seeds. The test is the paired bootstrap of `evaluation.significance`.
The p-values of one metric, over all models and widths, are corrected by Holm's step-down procedure (Holm 1979), which
holds the chance of any false difference in that metric to 5% whatever the dependence between them. What is uncertain
is which users come; that training is random is shown by the figures of each seed and is not part of the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nestrec.arrays import Float64Array
from nestrec.comparison.result import Gap
from nestrec.evaluation.significance import paired_differences


class Pair(NamedTuple):
    """Another model's cell beside nestrec at a width."""

    model: str
    width: int  # nestrec's
    reference: Float64Array
    other: Float64Array


def gaps_of(pairs: Mapping[str, Sequence[Pair]], samples: int = 10_000) -> dict[str, list[Gap]]:
    """Return model -> its gaps, given the pairs of each metric; the correction is within a metric."""
    found: dict[str, list[Gap]] = {}
    for label, of_label in pairs.items():
        differences = paired_differences([pair.reference - pair.other for pair in of_label], samples)
        corrected = holm([difference.p_value for difference in differences])
        for pair, difference, p_value in zip(of_label, differences, corrected, strict=True):
            gap = Gap(label, pair.width, difference.mean, difference.low, difference.high, difference.p_value, p_value)
            found.setdefault(pair.model, []).append(gap)
    return found


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number by Holm's step-down procedure, in the order given.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[place]))
        corrected[place] = largest
    return corrected

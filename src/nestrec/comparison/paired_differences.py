"""Significance of differences between nestrec and other models: paired over users, Holm-corrected.

For each metric and each pair of model and width, the null hypothesis is that both models have the same mean over users,
where a user's value is the mean over seeds. The test is the paired bootstrap of `evaluation.significance`. The p-values
of one metric, over all models and widths, are corrected by Holm's step-down procedure (Holm 1979), which bounds the
family-wise error rate of the metric whatever the dependence between tests. The test generalises over users; the
variation over seeds is reported beside it and is not part of the test.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from nestrec.arrays import Float64Array
from nestrec.comparison.result import PairedDifference
from nestrec.evaluation.significance import paired_differences


class Pair(NamedTuple):
    """The values per user of nestrec and of another model at a width."""

    model: str
    width: int  # nestrec's
    reference: Float64Array
    other: Float64Array


def compute_differences(
    pairs: Mapping[str, Sequence[Pair]], samples: int = 10_000
) -> dict[str, list[PairedDifference]]:
    """Return the differences by model, given the pairs of each metric; corrected within each metric."""
    found: dict[str, list[PairedDifference]] = {}
    for label, of_label in pairs.items():
        differences = paired_differences([pair.reference - pair.other for pair in of_label], samples)
        corrected = correct_holm([difference.p_value for difference in differences])
        for pair, difference, p_value in zip(of_label, differences, corrected, strict=True):
            found.setdefault(pair.model, []).append(
                PairedDifference(
                    label, pair.width, difference.mean, difference.low, difference.high, difference.p_value, p_value
                )
            )
    return found


def correct_holm(p_values: Sequence[float]) -> list[float]:
    """Return Holm-corrected p-values in the order given.

    >>> correct_holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(p_values)), key=lambda position: p_values[position])
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, position in enumerate(order):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[position]))
        corrected[position] = largest
    return corrected

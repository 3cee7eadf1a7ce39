"""Validation: evaluate embeddings on the held-out part and reduce the metric to one number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import Split
from nestrec.evaluation import evaluate_arrays
from nestrec.retrieval.width_scan import StopCheck
from nestrec.training.options import Run
from nestrec.training.setup import TrainingSetup
from nestrec.training.validation_part import Coverage, carve, describe_validation, report_coverage

_REPORTED = ("recall", "ndcg")  # at the same cutoff, beside the metric that chooses


@dataclass(frozen=True, eq=False)
class Validation:
    """The part that the search trains on and the held-out part, with the same user and item indices."""

    split: Split | Interactions  # how the held-out part was chosen, or that part as it was given
    setup: TrainingSetup  # of the part that is trained on
    held_out: Interactions
    coverage: Coverage
    threads: int | None

    @property
    def was_given(self) -> bool:
        """Whether the held-out part was given beside the training interactions, not split off them."""
        return isinstance(self.split, Interactions)

    def describe(self) -> dict[str, Any]:
        """Return the manifest's description: how the part was chosen, and how much of it is evaluated."""
        return {**describe_validation(self.split), **self.coverage.as_dict()}

    def __call__(
        self, users: Float32Array, items: Float32Array, check_stop: StopCheck | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the metric's mean over the widths); `check_stop` ends it by raising."""
        widths, metric, train = self.setup.objective.widths, self.setup.metric, self.setup.interactions
        values = evaluate_arrays(
            users,
            items,
            widths.values,
            train.indptr,
            train.indices,
            self.held_out.indptr,
            self.held_out.indices,
            metrics=tuple(dict.fromkeys((metric.name, *_REPORTED))),
            cutoffs=(metric.k,),
            threads=self.threads,
            check_stop=check_stop,
        )
        return dict(zip(widths, values, strict=True)), float(np.mean([of[str(metric)] for of in values]))


def name_widths(metrics: dict[int, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return metrics by width, with the widths as text, as in JSON."""
    return {str(width): values for width, values in metrics.items()}


def prepare_validation(
    split: Split | Interactions,
    interactions: Interactions,
    resolve: Callable[[Interactions], TrainingSetup],
    run: Run,
) -> Validation:
    """Split the interactions, or set the given ones beside them, and report which cannot be used.

    Raises DataError if no held-out interaction can be ranked.
    """
    train, held_out, coverage = carve(split, interactions)
    report_coverage(split, coverage, run.callback_list)
    return Validation(split, resolve(train), held_out, coverage, run.threads)

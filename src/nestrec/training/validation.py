"""Ranking the validation part and reducing it to one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.evaluation import evaluate_arrays
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.retrieval.batched_scan import StopCheck
from nestrec.widths import Widths

_BESIDE = ("recall", "ndcg")  # told at the same cutoff, whatever chooses


@dataclass(frozen=True, eq=False)
class Validation:
    """Training interactions and held-out ones, in the same rows and columns."""

    train: Interactions
    held_out: Interactions
    metric: MetricAtCutoff
    widths: Widths
    threads: int | None

    def __call__(
        self, users: Float32Array, items: Float32Array, check_stop: StopCheck | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the metric's mean over the widths); `check_stop` ends it by raising."""
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
            check_stop=check_stop,
        )
        return dict(zip(self.widths, values, strict=True)), float(np.mean([of[str(self.metric)] for of in values]))

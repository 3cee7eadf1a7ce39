"""Ranking the validation part and reducing it to one number."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.errors import OptionError
from nestrec.evaluation import evaluate_arrays
from nestrec.evaluation.metrics import METRICS
from nestrec.retrieval.batched_scan import Heed
from nestrec.widths import Widths

_LARGEST_CUTOFF = 100_000
_BESIDE = ("recall", "ndcg")  # told at the same cutoff, whatever chooses


@dataclass(frozen=True)
class Metric:
    """A metric at a cutoff, as in `ndcg@20`."""

    name: str
    k: int

    @classmethod
    def parse(cls, label: str) -> Metric:
        """Read a label; raise OptionError for an unknown metric or a cutoff that is no positive whole number."""
        name, _, cutoff = label.partition("@") if isinstance(label, str) else ("", "", "")
        if name not in METRICS or not cutoff.isdecimal() or not 1 <= int(cutoff[:9]) <= _LARGEST_CUTOFF:
            choices = ", ".join(METRICS)
            raise OptionError(
                f"metric {label!r} is not known; give one of {choices} and a cutoff from 1 to {_LARGEST_CUTOFF}, as in "
                "ndcg@20"
            )
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

    def __call__(
        self, users: Float32Array, items: Float32Array, heed: Heed | None = None
    ) -> tuple[dict[int, dict[str, float]], float]:
        """Return (width -> label -> value, the metric's mean over the widths); what `heed` raises ends the ranking."""
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
            heed=heed,
        )
        return dict(zip(self.widths, values, strict=True)), float(np.mean([of[str(self.metric)] for of in values]))

"""The part of the data that chooses the epoch: how it is carved out, ranked and reduced to one number."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.data.interactions import Interactions
from nestrec.kernels.ranking import rank_widths
from nestrec.training.options import Run
from nestrec.widths import Widths

FloatMatrix = npt.NDArray[np.float32]
PerWidth = dict[int, dict[str, float]]


def checked_metric(label: str):
    name, _, k = label.partition("@")
    return name, int(k)


@dataclass
class Validation:
    train: Interactions
    held_out: Interactions | None
    metric: str
    widths: Widths
    run: Run
    is_split: bool
    described: dict[str, Any]

    @property
    def is_wanted(self):
        return self.held_out is not None

    @classmethod
    def of(cls, validation, interactions, metric, widths, run):
        if validation is None:
            return cls(interactions, None, metric, widths, run, False, {"kind": "none"})
        if isinstance(validation, Interactions):
            return cls(interactions, validation, metric, widths, run, False, {"kind": "given"})
        train, held = validation.split(interactions)
        return cls(train, held, metric, widths, run, True, {"kind": type(validation).__name__, **asdict(validation)})

    def __call__(self, users, items):
        k = checked_metric(self.metric)[1]
        h = self.held_out
        who = np.flatnonzero(np.diff(h.indptr)).astype(np.int64)
        best = rank_widths(
            users, items, tuple(self.widths), self.train.indptr, self.train.indices, who, k, self.run.threads
        )
        n = np.diff(h.indptr)[who]
        owner = np.repeat(np.arange(len(who)), n)
        keys = owner * np.int64(h.n_items) + h.indices
        disc = 1 / np.log2(np.arange(2, k + 2))
        ideal = np.concatenate([[0], np.cumsum(disc)])
        out = {}
        for level, width in enumerate(self.widths):
            top = best[level].astype(np.int64)
            hits = np.isin(np.where(top < 0, -1, top + np.arange(len(who))[:, None] * h.n_items), keys)
            out[width] = {
                f"recall@{k}": float((hits.sum(1) / n).mean()),
                f"ndcg@{k}": float(((hits * disc).sum(1) / ideal[np.minimum(n, k)]).mean()),
            }
        return out, float(np.mean([v[self.metric] for v in out.values()]))

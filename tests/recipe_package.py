"""What CONTRIBUTING.md says how to add, as another package would: a class or function each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nestrec.data.formats import Format
from nestrec.data.readers.delimited import open_csv
from nestrec.evaluation.metric_registry import AccuracyMetric
from nestrec.evaluation.metrics import Hits
from nestrec.training.losses import PairLoss, Scored
from nestrec.training.samplers import ChoosingSampler


@dataclass(frozen=True)
class RankSampler(ChoosingSampler):
    """The candidate at one rank by score."""

    rank: int = 2
    """Rank of the negative among the candidates, from 1."""

    def choose(self, pool: Any, module: Any) -> Any:
        """Return that candidate of each pool."""
        del module
        return pool.kept(pool.scores.argsort(dim=-1, descending=True)[..., self.rank - 1])


@dataclass(frozen=True)
class MarginLoss(PairLoss):
    """How much is missing to a margin between positive and negative."""

    margin: float = 1.0
    """Margin between the scores of a positive and its negative."""

    def __call__(self, scored: Scored) -> Any:
        """Return (n_levels, batch)."""
        return (self.margin + scored.negatives - scored.positives).clamp(min=0)


def count_hits_at_k(hits: Hits, k: int) -> Any:
    """Return the number of held-out items in the top k."""
    return hits.at(k).total()


HITS = AccuracyMetric(name="hits", function=count_hits_at_k, source="a count")
EVENTS = Format("events", open_csv, extensions=("events",))

ENTRY_POINTS = {
    "nestrec.samplers:rank": "RankSampler",
    "nestrec.losses:margin": "MarginLoss",
    "nestrec.metrics:hits": "HITS",
    "nestrec.readers:events": "EVENTS",
}

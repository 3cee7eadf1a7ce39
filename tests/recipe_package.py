"""What CONTRIBUTING.md says how to add, as another package would: a class or function each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from nestrec.atomic.output_file import atomic_file
from nestrec.data.formats import Format
from nestrec.data.readers.delimited import DelimitedReader
from nestrec.evaluation.metric_registry import AccuracyMetric
from nestrec.evaluation.metrics import Hits
from nestrec.export.exporters import Side, select_side
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
        return pool.choose(pool.scores.argsort(dim=-1, descending=True)[..., self.rank - 1])


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


@dataclass(frozen=True)
class LinesExporter:
    """A line of text per id."""

    digits: int = 3
    """Digits after the decimal point."""

    def export(self, model: Any, path: Any, *, side: Side = "items", overwrite: bool = False) -> None:
        """Write the vectors of one side."""
        ids, vectors = select_side(model, side)
        with atomic_file(path, overwrite=overwrite) as partial, partial.open("w", encoding="utf-8") as file:
            for key, vector in zip(ids.tolist(), vectors.tolist(), strict=True):
                file.write(f"{key} {' '.join(f'{value:.{self.digits}f}' for value in vector)}\n")


HITS = AccuracyMetric(name="hits", function=count_hits_at_k, source="a count")
EVENTS = Format("events", DelimitedReader, extensions=("events",))

ENTRY_POINTS = {
    "nestrec.samplers:rank": "RankSampler",
    "nestrec.losses:margin": "MarginLoss",
    "nestrec.metrics:hits": "HITS",
    "nestrec.readers:events": "EVENTS",
    "nestrec.exporters:lines": "LinesExporter",
}

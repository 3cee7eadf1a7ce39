"""Small data for tests of training, a trainer that is fast on them, and callbacks that record or interfere."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np

from nestrec.data.interactions import Interactions
from nestrec.data.synthetic import GeneratedData, SyntheticData
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.evaluation import evaluate
from nestrec.training.callbacks import Callback, EpochReport, Phase, PhaseStart
from nestrec.training.trainer import Trainer


@cache
def world() -> GeneratedData:
    """Return 4 topics of 8 subtopics, 600 users, 320 items."""
    return SyntheticData(n_users=600, n_items=320).generate(seed=1)


@cache
def tiny() -> Interactions:
    """Return some 2,000 interactions."""
    return SyntheticData(n_users=120, n_items=96, interactions_per_user=15).generate(seed=2).interactions


def quick(epochs: int = 6, evaluate_every: int = 2, patience: int = 9) -> Trainer:
    """Return a trainer that searches through all its epochs, and leaves the vectors as they were trained."""
    return Trainer(widths=(3, 8), epochs=epochs, evaluate_every=evaluate_every, patience=patience, rotate=False)


def from_sets(items_of_user: list[list[int]], n_items: int) -> Interactions:
    """Return interactions of users 0, 1, … with items 0 to n_items - 1."""
    indptr = np.cumsum([0, *map(len, items_of_user)], dtype=np.int64)
    indices = np.array([item for items in items_of_user for item in sorted(items)], dtype=np.int32)
    users, items = (Vocabulary.from_ids(np.arange(n)) for n in (len(items_of_user), n_items))
    return Interactions(users, items, indptr, indices)


def weighted(interactions: Interactions, seed: int = 0) -> Interactions:
    """Return the same with weights, some of them far from their mean, which is not 1."""
    weights = 3 * np.random.default_rng(seed).exponential(size=interactions.n_interactions) ** 2
    return replace(interactions, weights=weights.astype(np.float32), check=False)


def is_same(one: NestedEmbeddings, other: NestedEmbeddings) -> bool:
    """Whether two models have the same bits."""
    return np.array_equal(one.user_embeddings, other.user_embeddings) and np.array_equal(
        one.item_embeddings, other.item_embeddings
    )


def quality(model: NestedEmbeddings, held_out: Interactions) -> dict[int, float]:
    """Return ndcg@20 of each width."""
    return {figures.width: figures.means["ndcg@20"] for figures in evaluate(model, held_out).widths}


@dataclass
class Recorder(Callback):
    """Records all events."""

    starts: list[PhaseStart] = field(default_factory=list)
    n_advanced: list[int] = field(default_factory=list)
    reports: list[EpochReport] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)

    def on_phase_start(self, start: PhaseStart) -> None:
        self.starts.append(start)

    def on_progress(self, n_positives: int) -> None:
        self.n_advanced.append(n_positives)

    def on_epoch_end(self, report: EpochReport) -> None:
        self.reports.append(report)

    def on_message(self, message: str) -> None:
        self.messages.append(message)

    @property
    def phases(self) -> list[Phase]:
        """Phases begun, in order."""
        return [start.phase for start in self.starts]


@dataclass
class Interfering(Recorder):
    """Does something once, at the given slice (counted from 1 through all phases) or after the given epoch."""

    act: Callable[[], object] = lambda: signal.raise_signal(signal.SIGINT)
    at_slice: int = 0
    after_epoch: tuple[Phase, int] | None = None

    def on_progress(self, n_positives: int) -> None:
        super().on_progress(n_positives)
        if len(self.n_advanced) == self.at_slice:
            self.act()

    def on_epoch_end(self, report: EpochReport) -> None:
        super().on_epoch_end(report)
        if (report.phase, report.epoch) == self.after_epoch:
            self.act()

"""A small model with interactions that came after it."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.embeddings import NestedEmbeddings
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from tests.training.worlds import world

QUICK = Run(deterministic=True)


class Parts(NamedTuple):
    """What is known, what comes, and what is only for evaluation."""

    old: Interactions
    new: Interactions
    held_out: Interactions


@cache
def parts() -> Parts:
    """Return a fifth held out, and a tenth of the rest new."""
    train, held_out = RandomSplit(0.2, seed=1).split(world().interactions)
    old, new = RandomSplit(0.1, seed=2).split(train)
    return Parts(drop_cold(old), drop_cold(new), held_out)


def trainer(*, rotate: bool = False, epochs: int = 10) -> Trainer:
    return Trainer(widths=(4, 16), epochs=epochs, rotate=rotate)


@cache
def trained() -> NestedEmbeddings:
    """Return a model of the old interactions."""
    return trainer().fit(parts().old, validation=None, run=QUICK)

"""How the torch engine steps: values, made into torch's optimisers by the engine.

Adagrad: Duchi et al. 2011, the CPU engine's; Adam: Kingma & Ba 2015, the paper's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Protocol

FIRST_SQUARE = 1e-8  # Adagrad's sums start above 0 so that a coordinate without gradient divides by something


class Optimizer(Protocol):
    """A rule for steps."""

    @property
    def learning_rate(self) -> float:
        """Size of the first steps where the user gives none."""


@dataclass(frozen=True)
class Adagrad:
    """Each coordinate has its own step, which falls with its squared gradients; a batch touches only its own rows.

    >>> Adagrad().learning_rate
    0.2
    """

    @property
    def learning_rate(self) -> float:
        """The CPU engine's."""
        return 0.2


@dataclass(frozen=True)
class Adam:
    """Steps of about the learning rate, by running means.

    `sparse` moves the rows that a batch touches and leaves the others' means as they are, so a step costs what it
    touches; without, every row goes on moving, as in the paper.

    >>> Adam(sparse=True)
    Adam(sparse=True)
    """

    sparse: bool = False

    @property
    def learning_rate(self) -> float:
        """A larger one than the paper's 0.001, since it falls to a tenth within few epochs."""
        return 0.015


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "sparse-adam": partial(Adam, sparse=True),
}

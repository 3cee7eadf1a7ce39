"""Optimizers of the torch engine, as values.

Adagrad: Duchi et al. 2011, the CPU engine's; Adam: Kingma & Ba 2015, the paper's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Protocol

from nestrec.field_docs import show_field_docs

FIRST_SQUARE = 1e-8  # initial sum of squared gradients of Adagrad, which avoids a division by 0


class Optimizer(Protocol):
    """An optimizer."""

    @property
    def learning_rate(self) -> float:
        """Default learning rate of the first epoch."""


@dataclass(frozen=True)
class Adagrad:
    """Adagrad: the learning rate of a coordinate falls with its squared gradients; a batch updates only its own rows.

    >>> Adagrad().learning_rate
    0.2
    """

    learning_rate: ClassVar[float] = 0.2


@show_field_docs
@dataclass(frozen=True)
class Adam:
    """Adam: steps of about the learning rate, by running means of the gradients.

    With `sparse`, a step updates the rows of its batch alone, and costs accordingly; without, every row keeps moving,
    as in the paper.

    >>> Adam(sparse=True)
    Adam(sparse=True)
    """

    sparse: bool = False

    learning_rate: ClassVar[float] = 0.015
    """Larger than the paper's 0.001, because it falls to a tenth within few epochs."""


OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adagrad": Adagrad,
    "adam": Adam,
    "sparse-adam": partial(Adam, sparse=True),
}

"""What is trained (`Trainer`'s fields, checked) and how this run goes (`Run`)."""

from __future__ import annotations

import math
import os
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from nestrec.arguments import check_fields, check_range, real_number, whole_number
from nestrec.data.splitting import LARGEST_SEED
from nestrec.errors import OptionError
from nestrec.parallel.threads import checked_threads
from nestrec.training.callbacks import Callback, CallbackList
from nestrec.training.checkpoint_folder import CheckpointFolder
from nestrec.widths import Widths


@check_fields
@dataclass(frozen=True)
class Run:
    """How a run goes; none of it says what model is wanted.

    >>> Run(seed=7, deterministic=True).seed
    7
    """

    seed: int = 0  # of starting values, order and negatives; a split for validation has its own
    threads: int | None = None  # None: one per processor
    deterministic: bool = False  # same bits for the same seed: updates on one thread, evaluation on all
    checkpoint: Path | CheckpointFolder | None = (
        None  # folder for the state of training; delete it once the model is saved
    )
    checkpoint_seconds: float = 30.0  # least time between two writes
    resume: bool = False  # go on from the checkpoint
    return_on_interrupt: bool = False  # Ctrl-C, SIGTERM: return the best model so far instead of being interrupted
    callbacks: Callback | Sequence[Callback] = ()  # one or several, notified of progress and messages

    def __post_init__(self) -> None:
        """Check what can be checked without the data."""
        if not 0 <= whole_number("seed", self.seed, 7) <= LARGEST_SEED:
            raise OptionError(f"seed {self.seed} is out of range; give a whole number from 0 to 2^63 - 1")
        if self.resume and self.checkpoint is None:
            raise OptionError("resume needs the checkpoint to go on from; name it with checkpoint=")
        checked_threads(self.threads)
        check_range("checkpoint_seconds", self.checkpoint_seconds, 0, 1e9, 30)
        object.__setattr__(self, "callbacks", _callbacks(self.callbacks))
        if self.checkpoint is not None and not isinstance(self.checkpoint, CheckpointFolder):  # a text is welcome too
            object.__setattr__(self, "checkpoint", _path("checkpoint", self.checkpoint))

    @property
    def callback_list(self) -> CallbackList:
        """All callbacks as one."""
        return CallbackList(cast("tuple[Callback, ...]", self.callbacks))


def _callbacks(given: Callback | Sequence[Callback]) -> tuple[Callback, ...]:
    callbacks = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if not all(isinstance(one, Callback) and not isinstance(one, type) for one in callbacks):
        raise OptionError(
            "callbacks must be objects with the methods of nestrec.training.callbacks.Callback, which may be "
            f"subclassed; got {given!r}"
        )
    return cast("tuple[Callback, ...]", callbacks)


def _path(name: str, value: object) -> Path:
    if isinstance(value, (str, os.PathLike)) and os.fspath(value):
        return Path(value)
    raise OptionError(f"{name} must be the path of a folder, got {value!r}")


def checked_level_weights(weights: Sequence[float] | None, widths: Widths) -> tuple[float, ...]:
    """Return weights that sum to 1; raise OptionError where they do not fit the widths.

    None gives the l-th narrowest width the share l^(1/3): the first coordinates serve every level, so the narrow widths
    need less of their own.
    """
    if weights is None:
        weights = [float(level) ** (1 / 3) for level in range(1, len(widths) + 1)]
    if not isinstance(weights, Collection) or isinstance(cast("object", weights), str):
        raise OptionError(f"level weights must be numbers, one per width, as in (1, 1, 2); got {weights!r}")
    for weight in weights:
        real_number("a level weight", weight, 1.0)
    if len(weights) != len(widths):
        raise OptionError(f"{len(weights)} level weights do not fit {len(widths)} widths; give one per width")
    if not all(math.isfinite(weight) and weight >= 0 for weight in weights) or weights[-1] <= 0:
        given = ",".join(map(str, weights))
        raise OptionError(f"level weights {given} must be finite and not negative, the widest one's above 0")
    return tuple(weight / sum(weights) for weight in weights)

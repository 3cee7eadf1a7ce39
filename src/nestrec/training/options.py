"""`Run`: options of one run that do not change which model is trained."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from nestrec.arguments import check_fields, check_integer, check_range
from nestrec.data.splitting import LARGEST_SEED
from nestrec.errors import OptionError
from nestrec.field_docs import show_field_docs
from nestrec.parallel.threads import resolve_threads
from nestrec.training.callbacks import Callback, CallbackList
from nestrec.training.checkpoint_folder import CheckpointFolder
from nestrec.training.training_log import TrainingLog

_LOG = TrainingLog()


@show_field_docs
@check_fields
@dataclass(frozen=True)
class Run:
    """Options of one run: seed, threads, checkpoint, callbacks.

    >>> Run(seed=7, deterministic=True).seed
    7
    """

    seed: int = 0
    """Of initial values, order and negatives; a validation split has its own."""
    threads: int | None = None
    """None: one per processor."""
    deterministic: bool = False
    """Same bits for the same seed, on any number of threads; the CPU engine trains pairs, and torch all, on one."""
    checkpoint: Path | CheckpointFolder | None = None
    """Folder for the state of training; delete it once the model is saved."""
    checkpoint_seconds: float = 30.0
    """Least time between two checkpoints."""
    resume: bool = False
    """Resume from the checkpoint."""
    return_on_interrupt: bool = False
    """Return the best model so far at Ctrl-C, SIGTERM or SIGHUP, instead of being interrupted."""
    callbacks: Callback | Sequence[Callback] = ()
    """One callback or several, notified of progress and messages."""

    def __post_init__(self) -> None:
        """Check the values."""
        if not 0 <= check_integer("seed", self.seed, 7) <= LARGEST_SEED:
            raise OptionError(f"seed must be between 0 and 2^63 - 1, got {self.seed}", option="seed")
        if self.resume and self.checkpoint is None:
            raise OptionError("resume needs a checkpoint to resume from; give checkpoint=", option="resume")
        resolve_threads(self.threads)
        check_range("checkpoint_seconds", self.checkpoint_seconds, 0, 1e9, 30)
        object.__setattr__(self, "callbacks", _callbacks(self.callbacks))
        if self.checkpoint is not None and not isinstance(self.checkpoint, CheckpointFolder):  # text, too
            object.__setattr__(self, "checkpoint", _path("checkpoint", self.checkpoint))

    @property
    def callback_list(self) -> CallbackList:
        """All callbacks as one, after the log."""
        return CallbackList((_LOG, *cast("tuple[Callback, ...]", self.callbacks)))

    def plus(self, callbacks: Sequence[Callback]) -> Run:
        """Return the run with more callbacks."""
        return replace(self, callbacks=(*cast("tuple[Callback, ...]", self.callbacks), *callbacks))


def _callbacks(given: Callback | Sequence[Callback]) -> tuple[Callback, ...]:
    callbacks = tuple(given) if isinstance(given, (list, tuple)) else (given,)
    if not all(isinstance(one, Callback) and not isinstance(one, type) for one in callbacks):
        raise OptionError(
            "callbacks must be objects with the methods of nestrec.training.callbacks.Callback, which may be "
            f"subclassed; got {given!r}",
            option="callbacks",
        )
    return cast("tuple[Callback, ...]", callbacks)


def _path(name: str, value: object) -> Path:
    if isinstance(value, (str, os.PathLike)) and os.fspath(value):
        return Path(value)
    raise OptionError(f"{name} must be the path of a folder, got {value!r}", option=name)

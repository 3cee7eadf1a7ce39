"""Training in Weights & Biases."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nestrec.extras import require
from nestrec.trackers.tracker import TrackerCallback


class WandbCallback(TrackerCallback):
    """Writes options, losses and validation metrics to Weights & Biases.

    They go to the active run, which stays open; without one, to a new run made with `init`, the arguments of
    `wandb.init`, which ends with training. `WANDB_MODE=offline` keeps runs on disk, for `wandb sync`. The phases
    `search` and `final` have an axis of their own, the epoch. Needs the extra `wandb`.

    >>> from nestrec import Run, WandbCallback
    >>> run = Run(callbacks=WandbCallback(project="shop", name="five widths"))
    """

    def __init__(self, **init: Any) -> None:
        self._wandb = require("wandb", "wandb", "WandbCallback")
        self._init = init
        self._run: Any = None
        self._is_own = False

    def start(self, options: Mapping[str, str | float]) -> None:
        """Begin a run, unless one is active."""
        self._is_own = self._wandb.run is None
        self._run = self._wandb.init(**self._init) if self._is_own else self._wandb.run
        self._run.config.update(dict(options), allow_val_change=True)
        self._run.define_metric("search/*", step_metric="epoch")
        self._run.define_metric("final/*", step_metric="epoch")
        self._run.define_metric("validation/*", step_metric="epoch")

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write metrics of an epoch."""
        self._run.log({**metrics, "epoch": step})

    def finish(self, summary: Mapping[str, float], *, failed: bool) -> None:
        """Write the final figures, and end the run that training began."""
        self._run.summary.update(dict(summary))
        if self._is_own:
            self._run.finish(exit_code=int(failed))

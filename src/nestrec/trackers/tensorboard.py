"""Training in TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike, fspath
from typing import Any

from nestrec.extras import require
from nestrec.trackers.tracker import TrackerCallback


class TensorBoardCallback(TrackerCallback):
    """Writes losses and validation metrics to a folder for `tensorboard --logdir`.

    One folder a run. Needs the extra `tensorboard`, and neither TensorFlow nor torch.

    >>> from nestrec import Run, TensorBoardCallback
    >>> run = Run(callbacks=TensorBoardCallback("runs/five-widths"))
    """

    def __init__(self, folder: str | PathLike[str]) -> None:
        self._module = require("tensorboard.summary", "tensorboard", "TensorBoardCallback")
        self._folder = fspath(folder)
        self._writer: Any = None

    def start(self, options: Mapping[str, str | float]) -> None:
        """Open the folder's event file."""
        self._writer = self._module.Writer(self._folder)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write metrics of an epoch."""
        for name, value in metrics.items():
            self._writer.add_scalar(name, value, step)
        self._writer.flush()

    def finish(self, summary: Mapping[str, float], *, failed: bool) -> None:
        """Write the final figures at step 0 and close the event file."""
        for name, value in summary.items():
            self._writer.add_scalar(name, value, 0)
        self._writer.close()

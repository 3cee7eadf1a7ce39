"""Training in MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nestrec.extras import require
from nestrec.trackers.tracker import TrackerCallback


class MLflowCallback(TrackerCallback):
    """Writes options, losses and validation metrics to MLflow.

    They go to the active run, which stays active; without one, to a new run of the current experiment, which ends with
    training. Where runs are kept is MLflow's to say: `mlflow.set_tracking_uri`, `mlflow.set_experiment`. In names,
    `@` becomes `_at_`, which MLflow does not allow. Needs the extra `mlflow`.

    >>> from nestrec import MLflowCallback, Run
    >>> run = Run(callbacks=MLflowCallback(run_name="five widths"))
    """

    def __init__(self, *, run_name: str | None = None) -> None:
        self._mlflow = require("mlflow", "mlflow", "MLflowCallback")
        self._run_name = run_name
        self._run: Any = None  # a run that training began
        self.run_id: str | None = None
        """The run that training was written to."""

    def start(self, options: Mapping[str, str | float]) -> None:
        """Begin a run, unless one is active."""
        active = self._mlflow.active_run()
        self._run = self._mlflow.start_run(run_name=self._run_name) if active is None else None
        self.run_id = (active or self._run).info.run_id
        self._mlflow.log_params(dict(options))

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write metrics of an epoch."""
        self._mlflow.log_metrics(_rename(metrics), step=step)

    def finish(self, summary: Mapping[str, float], *, failed: bool) -> None:
        """End the run that training began, as failed if training failed."""
        if summary:
            self._mlflow.log_metrics(_rename(summary))
        if self._run is not None:
            self._mlflow.end_run("FAILED" if failed else "FINISHED")
            self._run = None


def _rename(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name.replace("@", "_at_"): value for name, value in metrics.items()}

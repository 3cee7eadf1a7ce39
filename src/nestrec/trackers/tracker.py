"""What the callbacks of all trackers share: names of metrics, plain options, steps that never go back."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from nestrec.training.callbacks import Callback, EpochReport, PhaseStart


class TrackerCallback(Callback):
    """Collects options and metrics of a run, and hands them to a tracker.

    A step is an epoch. The phases `search` and `final` start from epoch 1 each, so their metrics have names of their
    own: `search/loss`, `final/loss`. Validation metrics are by width: `validation/ndcg@20/width_16`. Trials of the
    regularization search are left out.
    """

    @abstractmethod
    def start(self, options: Mapping[str, str | float]) -> None:
        """Begin a run with these options."""

    @abstractmethod
    def log(self, metrics: Mapping[str, float], step: int) -> None:
        """Write metrics of a step."""

    @abstractmethod
    def finish(self, summary: Mapping[str, float], *, failed: bool) -> None:
        """End the run; `summary` are the metrics of the epoch that was chosen, and the seconds of training."""

    def on_fit_start(self, options: Mapping[str, Any]) -> None:
        """Begin a run."""
        self.start(flatten_options(options))

    def on_phase_start(self, start: PhaseStart) -> None:
        """Write nothing: a phase shows in the names of its metrics."""

    def on_epoch_end(self, report: EpochReport) -> None:
        """Write the loss, the speed and the validation metrics of an epoch."""
        if report.phase == "tuning":
            return
        values = {
            f"{report.phase}/loss": report.loss,
            f"{report.phase}/interactions_per_second": report.positives_per_second,
        }
        if report.value is not None:
            values["validation/mean_over_widths"] = report.value
        self.log({**values, **name_by_width(report.metrics or {})}, report.epoch)

    def on_fit_end(self, training: Mapping[str, Any] | None) -> None:
        """End the run."""
        self.finish({} if training is None else summarize(training), failed=training is None)


def flatten_options(options: Mapping[str, Any]) -> dict[str, str | float]:
    """Return options as trackers take them: numbers and text; a list as text, and no options without a value.

    >>> flatten_options({"widths": [4, 8], "epochs": 3, "rotate": True, "temperature": None})
    {'widths': '4, 8', 'epochs': 3, 'rotate': True}
    """
    return {name: _flatten(value) for name, value in options.items() if value is not None}


def name_by_width(metrics: Mapping[Any, Mapping[str, float]]) -> dict[str, float]:
    """Return validation metrics by names that hold the width.

    >>> name_by_width({4: {"ndcg@20": 0.1}})
    {'validation/ndcg@20/width_4': 0.1}
    """
    return {
        f"validation/{label}/width_{width}": value
        for width, by_label in metrics.items()
        for label, value in by_label.items()
    }


def summarize(training: Mapping[str, Any]) -> dict[str, float]:
    """Return the final figures of the manifest's section `training`."""
    chosen = training.get("validation_metrics") or {}
    found = {"seconds": float(training["seconds"]), "epochs": float(training["epochs"])}
    named = name_by_width(chosen.get("metrics", {}))
    return {**found, **{f"best_{name}": value for name, value in named.items()}}


def _flatten(value: Any) -> str | float:
    if isinstance(value, (int, float, str)):
        return value
    return ", ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)

"""Training as records of the logger `nestrec.training`, which are shown if the application configures logging."""

from __future__ import annotations

import logging

from nestrec.logs import get_logger
from nestrec.training.callbacks import Callback, EpochReport, PhaseStart

_LOGGER = get_logger("training")


class TrainingLog(Callback):
    """Log phases, messages and evaluated epochs at INFO, other epochs at DEBUG."""

    def on_phase_start(self, start: PhaseStart) -> None:
        """Log the start of a phase."""
        _LOGGER.info("phase %s: at most %d epochs of %d interactions", start.phase, start.epochs, start.n_positives)

    def on_epoch_end(self, report: EpochReport) -> None:
        """Log the loss, the speed and the validation metric."""
        level = logging.DEBUG if report.value is None else logging.INFO
        value = "" if report.value is None else f", validation metric {report.value:.4f}"
        rate, loss = report.positives_per_second, report.loss
        _LOGGER.log(level, "epoch %d: loss %.4f%s, %.0f interactions/s", report.epoch, loss, value, rate)

    def on_message(self, message: str) -> None:
        """Log a message."""
        _LOGGER.info("%s", message)

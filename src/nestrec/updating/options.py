"""The options of an update, checked before anything is read, and the schedule that they make of a full training's."""

from __future__ import annotations

from dataclasses import dataclass

from nestrec.arguments import check_integer, check_range
from nestrec.errors import OptionError
from nestrec.training.options import Run
from nestrec.training.setup import TrainingSetup
from nestrec.updating.training import shorten_schedule

EPOCHS_SHARE = 0.3  # of the epochs of a full training
FEWEST_EPOCHS = 5  # by default: in fewer, the learning rate of a full training is too high (docs/results/update.md)
TOLERANCE = 0.0


@dataclass(frozen=True)
class UpdateOptions:
    """The options of an update, as they were given.

    Raises OptionError for values out of range.
    """

    epochs: int | None
    learning_rate: float | None
    tolerance: float
    run: Run

    def __post_init__(self) -> None:
        """Check the values."""
        if self.epochs is not None and not 0 <= check_integer("epochs", self.epochs, 4) <= 100_000:
            raise OptionError(
                f"epochs must be between 0 and 100000, got {self.epochs} (0: no training)", option="epochs"
            )
        if self.learning_rate is not None:
            check_range("learning_rate", self.learning_rate, 1e-6, 10, 0.3)
        check_range("changed_tolerance", self.tolerance, 0, 1, 0.05)
        if not isinstance(self.run, Run):
            raise OptionError(f"run must be a Run, as in Run(seed=1, threads=4); got {self.run!r}")
        if self.run.checkpoint is not None or self.run.return_on_interrupt:
            raise OptionError(
                "run must have neither checkpoint nor return_on_interrupt for an update: an interrupted one leaves the "
                "model as it was"
            )

    def check_validation(self, *, is_given: bool, is_split: bool, has_new: bool) -> None:
        """Raise OptionError for a validation without epochs to choose from, or without interactions to split."""
        if is_given and self.epochs == 0:
            raise OptionError(
                "validation must be left out with epochs 0, of which it has none to choose", option="epochs"
            )
        if is_split and not has_new:
            raise OptionError(
                "validation must be left out without new interactions, of which it holds out a part",
                option="validation",
            )

    def shorten(self, setup: TrainingSetup) -> TrainingSetup:
        """Return the setup with the epochs and the learning rate of an update.

        Epochs that are fewer than the fewest by default start at a learning rate lower in proportion.
        """
        epochs = self.epochs
        if epochs is None:
            epochs = max(FEWEST_EPOCHS, round(EPOCHS_SHARE * setup.schedule.epochs))
        rate = self.learning_rate
        if rate is None:
            rate = setup.schedule.learning_rate * min(1.0, max(1, epochs) / FEWEST_EPOCHS)
        return shorten_schedule(setup, epochs, rate)

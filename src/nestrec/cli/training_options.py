"""The options of `nestrec train` by panel; those of samplers, losses and backbones are in method_options.py."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import typer

from nestrec.cli.lists import parse_integers, parse_numbers
from nestrec.cli.panels import DATA, MODEL, RUN, TRAINING, VALIDATION
from nestrec.cli.shared_options import Threads, flag, option
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.read_options import ReadOptions
    from nestrec.data.splitting import Split
    from nestrec.training.options import Run

_DEFAULT_FRACTION = 0.1
SplitName: TypeAlias = Literal["random", "time", "leave-last-out"]


@dataclass(frozen=True)
class ModelOptions:
    """Shape of the model. None leaves a choice to the library; a test holds the defaults shown to the library's."""

    panel: ClassVar[str] = MODEL

    widths: Annotated[
        str | None, option("LIST", "Embedding widths to train: prefix lengths, ascending.", "4,8,16,32,64")
    ] = None
    level_weights: Annotated[str | None, option("LIST", "Loss weight of each width.", "rising with the width")] = None
    level_starts: Annotated[
        str | None,
        option("LIST", "Share of the epochs after which each width starts.", "rising to 0.25; pairs, lightgcn 0"),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the arguments of Trainer that were given."""
        widths = None if self.widths is None else parse_integers("--widths", self.widths)
        weights = None if self.level_weights is None else parse_numbers("--level-weights", self.level_weights)
        starts = None if self.level_starts is None else parse_numbers("--level-starts", self.level_starts)
        return _without_none({"widths": widths, "level_weights": weights, "level_starts": starts})


@dataclass(frozen=True)
class OptimizationOptions:
    """How long and how strongly parameters are updated. None leaves a choice to the library."""

    panel: ClassVar[str] = TRAINING

    epochs: Annotated[int | None, option("N", "Maximum number of epochs.", "depends on the data")] = None
    learning_rate: Annotated[
        float | None, option("NUMBER", "Initial learning rate; it decays to a tenth.", "0.3; pairs 0.2, adam 0.015")
    ] = None
    regularization: Annotated[
        str | None, option("LIST", "Weight of the L2 regularization: one, or one per width.", "depends on the data")
    ] = None
    tune_seconds: Annotated[
        float | None,
        option("S", "Search the regularization of each width by trials, started within S seconds.", "0, no search"),
    ] = None

    def given(self) -> dict[str, Any]:
        """Return the arguments of Trainer that were given."""
        given: dict[str, Any] = asdict(self)
        if self.regularization is not None:
            weights = parse_numbers("--regularization", self.regularization)
            given["regularization"] = weights if len(weights) > 1 else weights[0]
        return _without_none(given)


@dataclass(frozen=True)
class ValidationOptions:
    """Interactions and metric that choose the epoch."""

    panel: ClassVar[str] = VALIDATION

    validation: Annotated[
        Path | None, option("FILE", "Held-out interactions, read like FILE and never trained on.")
    ] = None
    validation_fraction: Annotated[
        float | None, option("SHARE", "Share of FILE to hold out.", str(_DEFAULT_FRACTION))
    ] = None
    validation_split: Annotated[
        SplitName | None,
        typer.Option(
            help="Which interactions to hold out; time and leave-last-out need timestamps.", show_default="random"
        ),
    ] = None
    no_validation: Annotated[bool, flag("--no-validation", "Train all epochs on all of FILE, without validation.")] = (
        False
    )
    no_refit: Annotated[
        bool, flag("--no-refit", "Keep the model of the best epoch, instead of training again on all interactions.")
    ] = False
    metric: Annotated[
        str | None, option("NAME@K", "Validation metric that chooses the epoch, averaged over widths.", "ndcg@20")
    ] = None
    evaluate_every: Annotated[int | None, option("N", "Epochs between validations.", "an eighth of the epochs")] = None
    patience: Annotated[int | None, option("N", "Validations without improvement before stopping early.", "5")] = None

    def given(self) -> dict[str, Any]:
        """Return the arguments of Trainer that were given."""
        return _without_none({"metric": self.metric, "evaluate_every": self.evaluate_every, "patience": self.patience})

    def check(self, tune_seconds: float | None) -> None:
        """Raise OptionError where one option would be without effect beside another."""
        split = {"--validation-fraction": self.validation_fraction, "--validation-split": self.validation_split}
        refit = {"--no-refit": self.no_refit or None}
        if self.no_validation:
            watching = {f"--{name.replace('_', '-')}": value for name, value in self.given().items()}
            others = {"--validation": self.validation, **split, **refit, **watching, "--tune-seconds": tune_seconds}
            _refuse("--no-validation", others)
        elif self.validation is not None:
            _refuse("--validation FILE", {**split, **refit})
        elif self.validation_split == "leave-last-out":
            fraction = {"--validation-fraction": self.validation_fraction}
            _refuse("--validation-split leave-last-out, which holds out one interaction per user", fraction)

    @property
    def needs_times(self) -> bool:
        """Whether the split needs timestamps."""
        return self.validation_split in ("time", "leave-last-out")

    def split(self, seed: int) -> Split | None:
        """Return how to split off the validation part, None for none."""
        from nestrec.data.splitting import LeaveLastOut, RandomSplit, TimeSplit

        fraction = _DEFAULT_FRACTION if self.validation_fraction is None else self.validation_fraction
        if self.no_validation:
            return None
        if self.validation_split == "leave-last-out":
            return LeaveLastOut()
        if self.validation_split == "time":
            return TimeSplit(fraction)
        return RandomSplit(fraction, seed)


@dataclass(frozen=True)
class FilterOptions:
    """Users and items to train on."""

    panel: ClassVar[str] = DATA

    min_user_interactions: Annotated[int, option("N", "Drop users with fewer interactions, repeatedly (k-core).")] = 0
    min_item_interactions: Annotated[int, option("N", "Drop items with fewer interactions, repeatedly (k-core).")] = 0

    def add_to(self, options: ReadOptions) -> ReadOptions:
        """Return reading options with these filters."""
        return replace(options, **asdict(self))


@dataclass(frozen=True)
class RunOptions:
    """How this run goes."""

    panel: ClassVar[str] = RUN

    seed: Annotated[int, option("N", "Random seed of initialization, order, negatives and the split.")] = 0
    threads: Threads = None
    deterministic: Annotated[
        bool, flag("--deterministic", "Bitwise reproducible for a seed, on any number of threads.")
    ] = False
    resume: Annotated[
        bool, flag("--resume", "Resume from the checkpoint that an interrupted run left beside MODEL.")
    ] = False
    overwrite: Annotated[bool, flag("--overwrite", "Replace an existing MODEL.")] = False

    def start(self, **further: Any) -> Run:
        """Return the settings of the library; `further` gives those without an option."""
        from nestrec.training.options import Run

        return Run(
            seed=self.seed, threads=self.threads, deterministic=self.deterministic, resume=self.resume, **further
        )


def _refuse(cause: str, others: dict[str, Any]) -> None:
    """Raise OptionError for the first of the others that was given."""
    for name, value in others.items():
        if value is not None:
            raise OptionError(f"{name} has no effect with {cause}; leave one of the two out")


def _without_none(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}

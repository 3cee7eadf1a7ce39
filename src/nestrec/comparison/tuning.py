"""Tuning one model on one budget, whatever its kind, and `tune`, which does it for a single model.

A budget is a number of fits per width. A model of one fit per width spends it on each width by itself. A model whose
one fit serves all widths spends as many fits in all, each scored by its mean over the widths; so does a model without
width. So none is tried with more fits than another.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from nestrec.arguments import check_count
from nestrec.atomic.workspace import temporary_folder
from nestrec.baselines.baseline import Kind
from nestrec.baselines.registry import BASELINES
from nestrec.comparison.callbacks import ComparisonCallback, NullComparisonCallback
from nestrec.comparison.fit_runner import Laboratory
from nestrec.comparison.hyperparameter_search import Budget, Search, Trial, check_optuna, search
from nestrec.comparison.job import Job, Outcome
from nestrec.comparison.result import Options
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.select_models import REFERENCE, check_model
from nestrec.data.interactions import Interactions
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError, TrainingError
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.parallel.threads import checked_threads
from nestrec.training.options import Run
from nestrec.training.trainer import DEFAULT_WIDTHS
from nestrec.widths import Widths

Unit = tuple[int, ...]  # the widths of one fit


@dataclass(frozen=True)
class TunedUnit:
    """The search for the options of one fit."""

    widths: Unit
    search: Search

    @property
    def defaults(self) -> Trial:
        """The trial of the defaults."""
        return self.search.trials[0]

    @property
    def best(self) -> Trial:
        """The best trial."""
        assert self.search.best is not None
        return self.search.best


@dataclass(frozen=True)
class Tuning:
    """What tuning a model found: one search where a fit serves all widths, one for each width otherwise."""

    model: str
    kind: str
    metric: str  # averaged over the widths of a fit, on the validation part
    units: tuple[TunedUnit, ...]

    def at(self, width: int) -> TunedUnit:
        """Return the search that a width's options come from; raise OptionError for a width that was not tuned."""
        for unit in self.units:
            if width in unit.widths:
                return unit
        choices = ", ".join(str(width) for unit in self.units for width in unit.widths)
        raise OptionError(f"width {width} was not tuned; choose one of {choices}")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the best options, the defaults and every trial of each search."""
        units = [
            {
                "widths": list(unit.widths),
                "best": _trial(unit.best),
                "defaults": _trial(unit.defaults),
                "trials": [_trial(trial) for trial in unit.search.trials],
            }
            for unit in self.units
        ]
        return {"model": self.model, "kind": self.kind, "metric": self.metric, "units": units}


def tune(
    interactions: Interactions,
    model: str = REFERENCE,
    *,
    widths: Widths | Iterable[int] = DEFAULT_WIDTHS,
    trials: int = 30,
    seconds: float | None = None,
    metric: str = "ndcg@20",
    seed: int = 0,
    threads: int | None = None,
    watcher: ComparisonCallback = NullComparisonCallback(),  # noqa: B008 - it has no state
) -> Tuning:
    """Search a model's options on a validation part, a random tenth of the interactions; the defaults come first.

    Args:
        interactions: what to train on.
        model: a name such as nestrec, ials, ease; `nestrec.baselines.BASELINES` lists them.
        widths: what the model is wanted at.
        trials: fits, the defaults' among them; for each width where the model is trained for one width at a time.
        seconds: no further fit is begun after as many seconds of fitting; None is no limit.
        metric: what to maximise, averaged over the widths of a fit.
        seed: of the search and the fits.
        threads: None uses all processors.
        watcher: told how it goes.

    Raises:
        OptionError: a value breaks its rule, or the model has nothing to tune.
        MissingExtraError: Optuna or what the model needs is not installed.
        TrainingError: every fit failed.

    >>> from nestrec import SyntheticData, tune
    >>> world = SyntheticData(n_users=100, n_items=120).generate(seed=0)
    >>> found = tune(world.interactions, "ease", widths=[4], trials=2, threads=1)
    >>> len(found.at(4).search.trials), found.at(4).best.value >= found.at(4).defaults.value
    (2, True)

    """
    ladder = widths if isinstance(widths, Widths) else Widths(widths)
    check_model(model)
    check_optuna()
    check_count("trials", trials, 100_000, 30)
    check_seconds(seconds)
    if not BASELINES[model].space:
        raise OptionError(f"{model} has no options to tune; choose another model")
    tuner = Tuner(ladder.values, metric, seed, checked_threads(threads), watcher)
    watcher.planned(trials * len(tuner.units(model)))
    with (
        temporary_folder() as folder,
        RunLog(folder, {"training": interactions.fingerprint()}) as log,
        Laboratory(interactions, None, log) as laboratory,
    ):
        found = tuple(tuner.tuned(model, Budget(trials, seconds), laboratory))
    for unit in found:
        if unit.search.best is None:
            raise TrainingError(f"no fit of {model} came to its end: {unit.search.error}")
    return Tuning(model, str(BASELINES[model].kind), metric, found)


def check_seconds(seconds: float | None) -> None:
    """Raise OptionError for a limit that leaves no time."""
    if seconds is not None and not seconds > 0:
        raise OptionError(f"seconds {seconds} leave no time; give a number above 0, or leave it out for no limit")


@dataclass(frozen=True)
class Tuner:
    """How models are tuned: the same for all."""

    widths: Unit
    metric: str
    seed: int
    threads: int
    watcher: ComparisonCallback

    def __post_init__(self) -> None:
        """Check the metric and the seed."""
        MetricAtCutoff.parse(self.metric)
        Run(seed=self.seed)

    def units(self, model: str) -> list[Unit]:
        """Return the widths of each fit that the model needs to be had at all widths."""
        single = BASELINES[model].kind is Kind.SINGLE
        return [(width,) for width in self.widths] if single else [self.widths]

    def budget(self, model: str, trials: int, seconds: float | None) -> Budget:
        """Return what one unit of the model may spend, given what a width may."""
        share = 1 if BASELINES[model].kind is Kind.SINGLE else len(self.widths)
        return Budget(trials * share, None if seconds is None else seconds * share)

    def tuned(self, model: str, budget: Budget, laboratory: Laboratory) -> list[TunedUnit]:
        """Search the options of each unit."""
        found = []
        for unit in self.units(model):
            at = "" if len(unit) > 1 else f" at width {unit[0]}"
            self.watcher.began(f"tuning {model}{at}")
            result = self._search(model, unit, budget, laboratory)
            self.watcher.fitted(budget.trials - len(result.trials))
            self.watcher.note(f"tuned {model}{at}: {_told(result, self.metric)}")
            found.append(TunedUnit(unit, result))
        laboratory.rest()
        return found

    def _search(self, model: str, unit: Unit, budget: Budget, laboratory: Laboratory) -> Search:
        def fit(options: Options) -> Outcome:
            metric = MetricAtCutoff.parse(self.metric)
            job = Job(model, options, unit, "validation", self.seed, self.threads, (metric.k,), (metric.name,))
            outcome = laboratory.outcome(job)
            self.watcher.fitted(1)
            return outcome

        return search(BASELINES[model], budget, self.metric, fit, self.seed)


def _told(found: Search, metric: str) -> str:
    if found.best is None:
        return f"every fit failed: {found.error}"
    return (
        f"{metric} {found.trials[0].value:.4f} with defaults, {found.best.value:.4f} at best, "
        f"{format_count(len(found.trials), 'fit')}, {found.seconds:.1f} s"
    )


def _trial(trial: Trial) -> dict[str, Any]:
    return {**asdict(trial), "value": None if trial.error is not None else trial.value}

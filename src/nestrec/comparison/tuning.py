"""`tune`: hyperparameter search for one model; and `Tuner`, which gives models of every kind the same budget.

A budget is a number of fits per width. A model with one fit per width has a search per width. A model whose single fit
serves all widths, or that has none, has one search with the budgets of all widths, scored by the mean over widths.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from nestrec.arguments import check_count
from nestrec.atomic.workspace import temporary_folder
from nestrec.baselines.baseline import Kind
from nestrec.baselines.registry import BASELINES
from nestrec.comparison.callbacks import ComparisonCallback, ComparisonCallbackList
from nestrec.comparison.fit_runner import FitRunner
from nestrec.comparison.hyperparameter_search import Budget, SearchResult, Trial, check_optuna, search
from nestrec.comparison.job import Job, Outcome
from nestrec.comparison.model_choice import REFERENCE, check_model
from nestrec.comparison.progress import show_comparison
from nestrec.comparison.records import to_plain
from nestrec.comparison.result import Options
from nestrec.comparison.run_log import RunLog
from nestrec.data.as_interactions import as_interactions
from nestrec.data.interactions import Interactions
from nestrec.data.read_report import format_count
from nestrec.errors import OptionError, TrainingError
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.parallel.threads import resolve_threads
from nestrec.tabular import Tabular, Values
from nestrec.training.options import Run
from nestrec.training.trainer import DEFAULT_WIDTHS
from nestrec.widths import Widths

Unit = tuple[int, ...]  # the widths of one fit


@dataclass(frozen=True)
class TunedUnit:
    """The search for the options of one fit."""

    widths: Unit
    search: SearchResult

    @property
    def defaults(self) -> Trial:
        """The trial of the defaults."""
        return self.search.trials[0]

    @property
    def best(self) -> Trial:
        """The best trial."""
        assert self.search.best is not None
        return self.search.best


@dataclass(frozen=True, repr=False)
class Tuning(Tabular):
    """Result of tuning a model: one search if a fit serves all widths, otherwise one per width."""

    model: str
    kind: str
    metric: str  # averaged over the widths of a fit, on the validation part
    units: tuple[TunedUnit, ...]

    def at(self, width: int) -> TunedUnit:
        """Return the search for the options at a width; raise OptionError if the width was not tuned."""
        for unit in self.units:
            if width in unit.widths:
                return unit
        choices = ", ".join(str(width) for unit in self.units for width in unit.widths)
        raise OptionError(f"width {width} was not tuned; choose one of {choices}")

    def as_columns(self) -> Mapping[str, Values]:
        """Return a row per trial; the column of an option is `option_` and its name."""
        trials = [(unit, number, trial) for unit in self.units for number, trial in enumerate(unit.search.trials, 1)]
        options = dict.fromkeys(name for _, _, trial in trials for name in trial.options)
        return {
            "widths": [", ".join(map(str, unit.widths)) for unit, _, _ in trials],
            "trial": [number for _, number, _ in trials],
            "value": [None if math.isnan(trial.value) else trial.value for _, _, trial in trials],
            "best": [trial is unit.search.best for unit, _, trial in trials],
            "seconds": [trial.seconds for _, _, trial in trials],
            "error": [trial.error for _, _, trial in trials],
            **{f"option_{name}": [trial.options.get(name) for _, _, trial in trials] for name in options},
        }

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: the best options, the defaults and every trial of each search."""
        units = [
            {"widths": unit.widths, "best": unit.best, "defaults": unit.defaults, "trials": unit.search.trials}
            for unit in self.units
        ]
        document: dict[str, Any] = to_plain(
            {"model": self.model, "kind": self.kind, "metric": self.metric, "units": units}
        )
        return document

    def __repr__(self) -> str:
        """Show the model, the metric and the best value of each search."""
        best = ", ".join(f"{unit.best.value:.4f} at {'/'.join(map(str, unit.widths))}" for unit in self.units)
        return f"<Tuning of {self.model}: {self.metric} {best}>"


def tune(  # noqa: PLR0913 - options by keyword
    interactions: Interactions | object,
    model: str = REFERENCE,
    *,
    widths: Widths | Iterable[int] = DEFAULT_WIDTHS,
    trials: int = 30,
    seconds: float | None = None,
    metric: str = "ndcg@20",
    seed: int = 0,
    threads: int | None = None,
    callbacks: ComparisonCallback | Sequence[ComparisonCallback] = (),
    progress: bool = False,
) -> Tuning:
    """Search the options of a model on a validation part, a random 10% of the interactions; the defaults come first.

    Args:
        interactions: training interactions, or a path or table that `read_interactions` takes.
        model: a name such as nestrec, ials, ease; `nestrec.baselines.BASELINES` lists them.
        widths: widths of the model.
        trials: fits, that of the defaults included; per width if the model needs a fit per width.
        seconds: start no further fit after this many seconds of fitting; None is no limit.
        metric: metric to maximize, averaged over the widths of a fit.
        seed: of the search and the fits.
        threads: None uses all processors.
        callbacks: notified of progress.
        progress: show a progress bar, on a terminal or in a notebook.

    Raises:
        OptionError: an argument is invalid, or the model has no options to tune.
        MissingExtraError: Optuna or a dependency of the model is not installed.
        TrainingError: every fit failed.

    >>> from nestrec import SyntheticData, tune
    >>> data = SyntheticData(n_users=100, n_items=120).generate(seed=0)
    >>> found = tune(data.interactions, "ease", widths=[4], trials=2, threads=1)
    >>> len(found.at(4).search.trials), found.at(4).best.value >= found.at(4).defaults.value
    (2, True)

    """
    checked = widths if isinstance(widths, Widths) else Widths(widths)
    check_search(model, trials, seconds)
    interactions = as_interactions(interactions)
    callback, bar = ComparisonCallbackList.of(callbacks), show_comparison(show=progress)
    with (
        bar as bars,
        temporary_folder() as folder,
        RunLog(folder, {"training": interactions.fingerprint()}) as log,
        FitRunner(interactions, None, log) as runner,
    ):
        tuner = Tuner(checked.values, metric, seed, resolve_threads(threads), callback.plus(bars))
        tuner.callback.on_start(trials * len(tuner.units(model)))
        found = tuple(tuner.tune(model, Budget(trials, seconds), runner))
    for unit in found:
        if unit.search.best is None:
            raise TrainingError(f"every fit of {model} failed: {unit.search.error}")
    return Tuning(model, str(BASELINES[model].kind), metric, found)


def check_search(model: str, trials: int, seconds: float | None) -> None:
    """Raise the errors of `tune` that need no data."""
    check_model(model)
    check_optuna()
    check_count("trials", trials, 100_000, 30)
    check_seconds(seconds)
    if not BASELINES[model].space:
        raise OptionError(f"{model} has no options to tune; choose another model")


def check_seconds(seconds: float | None) -> None:
    """Raise OptionError for a time limit that is not positive."""
    if seconds is not None and not seconds > 0:
        raise OptionError(f"seconds must be above 0, got {seconds}; leave it out for no limit", option="seconds")


@dataclass(frozen=True)
class Tuner:
    """Tuning settings, the same for all models."""

    widths: Unit
    metric: str
    seed: int
    threads: int
    callback: ComparisonCallbackList

    def __post_init__(self) -> None:
        """Check the metric and the seed."""
        MetricAtCutoff.parse(self.metric)
        Run(seed=self.seed)

    def units(self, model: str) -> list[Unit]:
        """Return the widths of each fit that is needed to have the model at all widths."""
        single = BASELINES[model].kind is Kind.SINGLE
        return [(width,) for width in self.widths] if single else [self.widths]

    def budget(self, model: str, trials: int, seconds: float | None) -> Budget:
        """Return the budget of one search, given the budget per width."""
        share = 1 if BASELINES[model].kind is Kind.SINGLE else len(self.widths)
        return Budget(trials * share, None if seconds is None else seconds * share)

    def tune(
        self, model: str, budget: Budget, runner: FitRunner, units: Sequence[Unit] | None = None
    ) -> list[TunedUnit]:
        """Search the options of each fit, by default of all that are needed for all widths."""
        found = []
        for unit in self.units(model) if units is None else units:
            at = "" if len(unit) > 1 else f" at width {unit[0]}"
            self.callback.on_step(f"tuning {model}{at}")
            result = self._search(model, unit, budget, runner)
            self.callback.on_progress(budget.trials - len(result.trials))
            self.callback.on_message(f"tuned {model}{at}: {_summarize(result, self.metric)}")
            found.append(TunedUnit(unit, result))
        runner.stop_worker()
        return found

    def _search(self, model: str, unit: Unit, budget: Budget, runner: FitRunner) -> SearchResult:
        def fit(options: Options) -> Outcome:
            metric = MetricAtCutoff.parse(self.metric)
            job = Job(model, options, unit, "validation", self.seed, self.threads, (metric.k,), (metric.name,))
            outcome = runner.run(job)
            self.callback.on_progress(1)
            return outcome

        return search(BASELINES[model], budget, self.metric, fit, self.seed)


def _summarize(result: SearchResult, metric: str) -> str:
    if result.best is None:
        return f"every fit failed: {result.error}"
    return (
        f"{metric} {result.trials[0].value:.4f} with defaults, {result.best.value:.4f} at best, "
        f"{format_count(len(result.trials), 'fit')}, {result.seconds:.1f} s"
    )

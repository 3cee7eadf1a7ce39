"""The search for a model's best options: a tree-structured Parzen estimator (Bergstra et al. 2011), by Optuna.

The first trial is always the defaults, so tuning cannot end with worse options than none, as the validation part sees
it. The estimator is seeded and asked one trial at a time: with the same values it proposes the same options, which is
how an interrupted search goes on: it is gone through again, and trials that were done are looked up, not fitted.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from nestrec.baselines.baseline import Baseline, Choice, Range
from nestrec.comparison.job import Outcome
from nestrec.comparison.result import Options
from nestrec.extras import require

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.study import Study

Space = dict[str, Range | Choice]

_FAILURES = 5  # as many from the start, and the search is given up


@dataclass(frozen=True)
class Budget:
    """What a search may spend. The trial under way when the seconds are spent is finished."""

    trials: int  # fits, that of the defaults among them
    seconds: float | None  # of fits; None: no limit


@dataclass(frozen=True)
class Trial:
    """Options that were tried."""

    options: Options
    value: float  # NaN where the fit failed
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class Search:
    """What a search found; the defaults' trial is the first."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial of highest value, the first of equal ones; None where every fit failed."""
        done = [trial for trial in self.trials if not math.isnan(trial.value)]
        return max(done, key=lambda trial: trial.value, default=None)

    @property
    def seconds(self) -> float:
        """Seconds of all its fits."""
        return math.fsum(trial.seconds for trial in self.trials)

    @property
    def error(self) -> str | None:
        """The last fit's error where every fit failed."""
        return None if self.best is not None else self.trials[-1].error


def defaults_of(model: type[Baseline]) -> Options:
    """Return the default of every option that tuning may change."""
    made = model()
    return {name: getattr(made, name) for name in model.space}


def search(
    model: type[Baseline], budget: Budget, metric: str, fit: Callable[[Options], Outcome], seed: int = 0
) -> Search:
    """Try the defaults, then what the estimator proposes, until the budget is spent. `metric` is what it maximises.

    Raises MissingExtraError without Optuna, unless the defaults are all there is to try.
    """
    space, defaults = model.space, defaults_of(model)
    trials = [_tried(defaults, fit(defaults), metric)]
    if not space or budget.trials == 1:
        return Search(tuple(trials))
    study = _study(seed, budget.trials)
    distributions = {name: _distribution(where) for name, where in space.items()}
    _tell_defaults(study, trials[0], space, distributions)
    while len(trials) < budget.trials and not _is_spent(trials, budget):
        asked = study.ask(distributions)
        options = {name: _value(space[name], asked.params[name]) for name in space}
        trial = _tried(options, fit(options), metric)
        trials.append(trial)
        _tell(study, asked, trial)
    return Search(tuple(trials))


def check_optuna() -> None:
    """Raise MissingExtraError without Optuna."""
    optuna = require("optuna", "tune", "tuning")
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _study(seed: int, trials: int) -> Study:
    check_optuna()
    import optuna

    # A quarter of a small budget at random, ten trials of a large one, before the estimator is believed.
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=max(1, min(10, trials // 4)))
    return optuna.create_study(direction="maximize", sampler=sampler)


def _is_spent(trials: list[Trial], budget: Budget) -> bool:
    if len(trials) >= _FAILURES and all(math.isnan(trial.value) for trial in trials):
        return True
    return budget.seconds is not None and math.fsum(trial.seconds for trial in trials) >= budget.seconds


def _tried(options: Options, outcome: Outcome, metric: str) -> Trial:
    return Trial(options, outcome.mean(metric), outcome.seconds, outcome.error)


def _tell(study: Study, asked: Any, trial: Trial) -> None:
    from optuna.trial import TrialState

    if math.isnan(trial.value):
        study.tell(asked, state=TrialState.FAIL)
    else:
        study.tell(asked, trial.value)


def _tell_defaults(study: Study, trial: Trial, space: Space, distributions: dict[str, BaseDistribution]) -> None:
    """Let the estimator learn from the defaults, where they lie in the space (None for "by the data" may not)."""
    import optuna

    params = {name: _inside(space[name], value) for name, value in trial.options.items()}
    if math.isnan(trial.value) or None in params.values():
        return
    study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=trial.value))


def _inside(where: Range | Choice, value: Any) -> Any:
    """Return the value as the estimator's parameter; None where it is outside."""
    if isinstance(where, Choice):
        return where.values.index(value) if value in where.values else None
    return value if isinstance(value, (int, float)) and where.low <= value <= where.high else None


def _value(where: Range | Choice, parameter: Any) -> Any:
    return where.values[parameter] if isinstance(where, Choice) else parameter


def _distribution(where: Range | Choice) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(where, Choice):
        return CategoricalDistribution(tuple(range(len(where.values))))  # positions, so that values may be anything
    if where.integer:
        return IntDistribution(int(where.low), int(where.high), log=where.log)
    return FloatDistribution(where.low, where.high, log=where.log)

"""Hyperparameter search by a tree-structured Parzen estimator (Bergstra et al. 2011) from Optuna.

The first trial always has the default options, so the result is never worse than them on the validation part. The
estimator is seeded and proposes one trial at a time. An interrupted search is resumed by repeating it: the proposals
are the same, and the outcomes of finished trials come from the log.
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

_FAILURES = 5  # the search ends if so many first trials all fail


@dataclass(frozen=True)
class Budget:
    """Limits of a search. The trial that is running when the seconds are spent is finished."""

    trials: int  # fits, that of the defaults included
    seconds: float | None  # of fitting; None: no limit


@dataclass(frozen=True)
class Trial:
    """Options with the metric they reached."""

    options: Options
    value: float  # NaN if the fit failed
    seconds: float
    error: str | None = None


@dataclass(frozen=True)
class SearchResult:
    """All trials of a search; the first has the default options."""

    trials: tuple[Trial, ...]

    @property
    def best(self) -> Trial | None:
        """The trial with the highest value, the first among ties; None if every fit failed."""
        done = [trial for trial in self.trials if not math.isnan(trial.value)]
        return max(done, key=lambda trial: trial.value, default=None)

    @property
    def seconds(self) -> float:
        """Seconds of all fits."""
        return math.fsum(trial.seconds for trial in self.trials)

    @property
    def error(self) -> str | None:
        """The error of the last fit if every fit failed."""
        return None if self.best is not None else self.trials[-1].error


def get_defaults(model: type[Baseline]) -> Options:
    """Return the defaults of the options in the search space."""
    instance = model()
    return {name: getattr(instance, name) for name in model.space}


def search(
    model: type[Baseline], budget: Budget, metric: str, fit: Callable[[Options], Outcome], seed: int = 0
) -> SearchResult:
    """Maximize `metric`: evaluate the defaults, then proposals of the estimator, until the budget is spent.

    Raises MissingExtraError without Optuna, unless there is only one trial.
    """
    space, defaults = model.space, get_defaults(model)
    trials = [_to_trial(defaults, fit(defaults), metric)]
    if not space or budget.trials == 1:
        return SearchResult(tuple(trials))
    study = _study(seed, budget.trials)
    distributions = {name: _distribution(domain) for name, domain in space.items()}
    _tell_defaults(study, trials[0], space, distributions)
    while len(trials) < budget.trials and not _is_spent(trials, budget):
        proposal = study.ask(distributions)
        options = {name: _value(space[name], proposal.params[name]) for name in space}
        trial = _to_trial(options, fit(options), metric)
        trials.append(trial)
        _tell(study, proposal, trial)
    return SearchResult(tuple(trials))


def check_optuna() -> None:
    """Raise MissingExtraError without Optuna."""
    optuna = require("optuna", "tune", "tuning")
    optuna.logging.set_verbosity(optuna.logging.WARNING)


def _study(seed: int, trials: int) -> Study:
    check_optuna()
    import optuna

    # A quarter of a small budget, or ten trials of a large one, are random, before the estimator proposes.
    sampler = optuna.samplers.TPESampler(seed=seed % 2**32, n_startup_trials=max(1, min(10, trials // 4)))
    return optuna.create_study(direction="maximize", sampler=sampler)


def _is_spent(trials: list[Trial], budget: Budget) -> bool:
    if len(trials) >= _FAILURES and all(math.isnan(trial.value) for trial in trials):
        return True
    return budget.seconds is not None and math.fsum(trial.seconds for trial in trials) >= budget.seconds


def _to_trial(options: Options, outcome: Outcome, metric: str) -> Trial:
    return Trial(options, outcome.mean(metric), outcome.seconds, outcome.error)


def _tell(study: Study, proposal: Any, trial: Trial) -> None:
    from optuna.trial import TrialState

    if math.isnan(trial.value):
        study.tell(proposal, state=TrialState.FAIL)
    else:
        study.tell(proposal, trial.value)


def _tell_defaults(study: Study, trial: Trial, space: Space, distributions: dict[str, BaseDistribution]) -> None:
    """Add the defaults to the study if they are in the search space (None for data-dependent defaults may not be)."""
    import optuna

    params = {name: _to_parameter(space[name], value) for name, value in trial.options.items()}
    if math.isnan(trial.value) or None in params.values():
        return
    study.add_trial(optuna.trial.create_trial(params=params, distributions=distributions, value=trial.value))


def _to_parameter(domain: Range | Choice, value: Any) -> Any:
    """Return the value as a parameter of the estimator; None if it is outside the space."""
    if isinstance(domain, Choice):
        return domain.values.index(value) if value in domain.values else None
    return value if isinstance(value, (int, float)) and domain.low <= value <= domain.high else None


def _value(domain: Range | Choice, parameter: Any) -> Any:
    return domain.values[parameter] if isinstance(domain, Choice) else parameter


def _distribution(domain: Range | Choice) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(domain, Choice):
        return CategoricalDistribution(tuple(range(len(domain.values))))  # indices, so that values may have any type
    if domain.integer:
        return IntDistribution(int(domain.low), int(domain.high), log=domain.log)
    return FloatDistribution(domain.low, domain.high, log=domain.log)

"""The procedure of a comparison: every model is tuned before the first one meets the test part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nestrec.arrays import BoolArray
from nestrec.baselines.registry import BASELINES
from nestrec.comparison.aggregate import FittedUnit, SeedRun, assembled
from nestrec.comparison.callbacks import ComparisonCallback
from nestrec.comparison.fit_runner import Laboratory
from nestrec.comparison.hyperparameter_search import Budget, Search, defaults_of
from nestrec.comparison.job import Job
from nestrec.comparison.result import ModelResult, Options, Protocol
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.select_models import REFERENCE
from nestrec.comparison.tuning import Tuner, Unit
from nestrec.evaluation.metric_registry import list_compared_metrics


@dataclass(frozen=True)
class Procedure:
    """What `compare` does once its arguments are checked."""

    protocol: Protocol
    names: tuple[str, ...]
    laboratory: Laboratory
    log: RunLog
    watcher: ComparisonCallback
    known: BoolArray  # which of the test users have training interactions

    @property
    def _tuner(self) -> Tuner:
        rules = self.protocol
        assert rules.threads is not None
        return Tuner(rules.widths, rules.metric, rules.seeds[0], rules.threads, self.watcher)

    def results(self) -> tuple[ModelResult, ...]:
        """Tune every model before the first one is judged."""
        self.watcher.planned(self._fits())
        plans = {name: list(self._planned(name)) for name in self.names}
        units = {name: (BASELINES[name].kind, [self._fitted(name, *plan) for plan in plans[name]]) for name in plans}
        self.watcher.began("comparing user by user")
        return assembled(units, REFERENCE, self.protocol.cutoffs, self.known)

    def is_tuned(self, name: str) -> bool:
        """Tell whether there is anything to tune and a budget for it."""
        wanted = name != REFERENCE or self.protocol.tuned_reference
        return wanted and self.protocol.trials > 0 and bool(BASELINES[name].space)

    def budget(self, name: str) -> Budget:
        """Return what the search for the options of one fit may spend."""
        return self._tuner.budget(name, self.protocol.trials, self.protocol.seconds)

    def _fits(self) -> int:
        """Count the fits there are at most."""
        seeds = len(self.protocol.seeds)
        trials = {name: self.budget(name).trials if self.is_tuned(name) else 0 for name in self.names}
        return sum(len(self._tuner.units(name)) * (trials[name] + seeds) for name in self.names)

    def _planned(self, name: str) -> Iterator[tuple[Unit, Options, Search | None]]:
        """Yield the widths, options and search of each fit; the options of a search that failed are the defaults."""
        defaults = defaults_of(BASELINES[name])
        if not self.is_tuned(name):
            yield from ((unit, defaults, None) for unit in self._tuner.units(name))
            return
        for tuned in self._tuner.tuned(name, self.budget(name), self.laboratory):
            best = tuned.search.best
            yield tuned.widths, defaults if best is None else best.options, tuned.search

    def _fitted(self, name: str, unit: Unit, options: Options, search: Search | None) -> FittedUnit:
        seeds = self.protocol.seeds
        if search is not None and search.best is None:
            self.watcher.fitted(len(seeds))
            return FittedUnit(unit, options, search, ())
        runs: list[SeedRun] = []
        for seed in seeds:
            if runs and runs[-1].outcome.error is not None:  # what ran out of memory once will do so again
                break
            runs.append(self._run(name, unit, options, seed))
        self.watcher.fitted(len(seeds) - len(runs))
        return FittedUnit(unit, options, search, tuple(runs))

    def _run(self, name: str, unit: Unit, options: Options, seed: int) -> SeedRun:
        at = "" if len(unit) > 1 or len(self.protocol.widths) == 1 else f" at width {unit[0]}"
        self.watcher.began(f"fitting {name}{at}, seed {seed}")
        job = Job(
            name, options, unit, "test", seed, self._tuner.threads, self.protocol.cutoffs, list_compared_metrics()
        )
        outcome = self.laboratory.outcome(job)
        self.watcher.fitted(1)
        if outcome.error is not None:
            self.watcher.note(f"{name}{at} failed: {outcome.error}")
        return SeedRun(seed, outcome, self.log.per_user(job) if outcome.error is None else {})

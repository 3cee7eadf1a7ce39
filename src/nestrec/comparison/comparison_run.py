"""The steps of a comparison: all models are tuned before the first one is evaluated on the test part."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from nestrec.arrays import BoolArray
from nestrec.baselines.registry import BASELINES, source_of
from nestrec.comparison.aggregate import FittedUnit, SeedRun, aggregate_results
from nestrec.comparison.callbacks import ComparisonCallbackList
from nestrec.comparison.fit_runner import FitRunner
from nestrec.comparison.hyperparameter_search import Budget, SearchResult, get_defaults
from nestrec.comparison.job import Job
from nestrec.comparison.model_choice import REFERENCE
from nestrec.comparison.result import ModelResult, Options, Protocol
from nestrec.comparison.run_log import RunLog
from nestrec.comparison.tuning import Tuner, Unit
from nestrec.evaluation.metric_registry import list_compared_metrics

Tuned = tuple[Unit, Options, SearchResult | None]  # the widths of a fit, its options, and the search that found them


@dataclass(frozen=True)
class ComparisonRun:
    """A comparison with checked arguments."""

    protocol: Protocol
    names: tuple[str, ...]
    runner: FitRunner
    log: RunLog
    callback: ComparisonCallbackList
    known: BoolArray  # (n_test_users,) True for warm users

    @property
    def _tuner(self) -> Tuner:
        protocol = self.protocol
        assert protocol.threads is not None
        return Tuner(protocol.widths, protocol.metric, protocol.seeds[0], protocol.threads, self.callback)

    def execute(self) -> tuple[ModelResult, ...]:
        """Tune all models, then fit and evaluate them on the test part."""
        self.callback.on_start(self._count_fits())
        tuned = self._tune_all()
        units = {name: (BASELINES[name].kind, [self._fit(name, *of) for of in tuned[name]]) for name in self.names}
        self.callback.on_step("testing paired differences")
        return aggregate_results(units, REFERENCE, self.protocol.cutoffs, self.known)

    def is_tuned(self, name: str) -> bool:
        """Return whether the model has options to tune and a budget for it."""
        is_candidate = name != REFERENCE or self.protocol.tuned_reference
        return is_candidate and self.protocol.trials > 0 and bool(BASELINES[name].space)

    def budget(self, name: str) -> Budget:
        """Return the search budget for the options of one fit."""
        return self._tuner.budget(name, self.protocol.trials, self.protocol.seconds)

    def _count_fits(self) -> int:
        """Return the maximum number of fits."""
        seeds, tuner = len(self.protocol.seeds), self._tuner
        trials = {name: self.budget(name).trials if self.is_tuned(name) else 0 for name in self._list_tuned()}
        in_searches = sum(trials[name] * len(units) for name, units in self._list_tuned().items())
        return in_searches + sum(len(tuner.units(name)) * seeds for name in self.names)

    def _list_tuned(self) -> dict[str, list[Unit]]:
        """Return the fits to find options for, by model; a derived model has the options of its source."""
        listed = {name: self._tuner.units(name) for name in self.names if source_of(name) is None}
        for name in self.names:
            if (source := source_of(name)) is not None:
                listed.setdefault(source, [self.protocol.widths[-1:]])
        return listed

    def _tune_all(self) -> dict[str, list[Tuned]]:
        tuned = {name: list(self._tune(name, units)) for name, units in self._list_tuned().items()}
        for name in self.names:
            if (source := source_of(name)) is not None:
                _, options, search = tuned[source][-1]  # at the widest width
                tuned[name] = [(self.protocol.widths, options, search)]
        return tuned

    def _tune(self, name: str, units: list[Unit]) -> Iterator[Tuned]:
        """Yield the widths, options and search of each fit; the defaults if the search failed."""
        defaults = get_defaults(BASELINES[name])
        if not self.is_tuned(name):
            yield from ((unit, defaults, None) for unit in units)
            return
        for tuned in self._tuner.tune(name, self.budget(name), self.runner, units):
            best = tuned.search.best
            yield tuned.widths, defaults if best is None else best.options, tuned.search

    def _fit(self, name: str, unit: Unit, options: Options, search: SearchResult | None) -> FittedUnit:
        seeds = self.protocol.seeds
        if search is not None and search.best is None:
            self.callback.on_progress(len(seeds))
            return FittedUnit(unit, options, search, ())
        runs: list[SeedRun] = []
        for seed in seeds:
            if runs and runs[-1].outcome.error is not None:  # a fit that ran out of memory would do so again
                break
            runs.append(self._run(name, unit, options, seed))
        self.callback.on_progress(len(seeds) - len(runs))
        return FittedUnit(unit, options, search, tuple(runs))

    def _run(self, name: str, unit: Unit, options: Options, seed: int) -> SeedRun:
        at = "" if len(unit) > 1 or len(self.protocol.widths) == 1 else f" at width {unit[0]}"
        self.callback.on_step(f"fitting {name}{at}, seed {seed}")
        jobs = self._list_jobs(name, unit, options, seed)
        outcomes = self.runner.run_together(list(jobs.values()))
        job, outcome = jobs[name], outcomes[list(jobs).index(name)]
        self.callback.on_progress(1)
        if outcome.error is not None:
            self.callback.on_message(f"{name}{at} failed: {outcome.error}")
        return SeedRun(seed, outcome, self.log.per_user(job) if outcome.error is None else {})

    def _list_jobs(self, name: str, unit: Unit, options: Options, seed: int) -> dict[str, Job]:
        """Return the job of a fit by model, with those of models derived from the same fit, its source first."""
        source, widest = source_of(name) or name, self.protocol.widths[-1:]
        derived = [other for other in self.names if source_of(other) == source]
        widths = {name: unit}
        if derived and unit[-1:] == widest:
            widths = {source: widest, **dict.fromkeys(derived, self.protocol.widths)}
        metrics, threads = list_compared_metrics(), self._tuner.threads
        return {
            model: Job(model, options, of, "test", seed, threads, self.protocol.cutoffs, metrics)
            for model, of in widths.items()
        }

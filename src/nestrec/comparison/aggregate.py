"""Aggregation of fits: means over seeds, intervals over users, paired differences to nestrec, costs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from nestrec.arrays import BoolArray, Float64Array
from nestrec.artefact.tensors import Arrays
from nestrec.baselines.baseline import Kind
from nestrec.comparison.hyperparameter_search import SearchResult
from nestrec.comparison.job import Outcome, WidthMetrics
from nestrec.comparison.paired_differences import Pair, compute_differences
from nestrec.comparison.result import Cell, ModelResult, Options, PairedDifference, SeedMetrics
from nestrec.evaluation.metric_registry import list_compared_metrics
from nestrec.evaluation.significance import bootstrap_intervals


class SeedRun(NamedTuple):
    """A fit on all training interactions."""

    seed: int
    outcome: Outcome
    users: Arrays  # `WIDTH LABEL` -> (n_users,); {} if the fit failed


@dataclass(frozen=True)
class FittedUnit:
    """The fits of all seeds with the same options."""

    widths: tuple[int, ...]
    options: Options
    search: SearchResult | None  # None: not tuned
    runs: tuple[SeedRun, ...]

    @property
    def error(self) -> str | None:
        """Why there are no metrics, if a fit failed."""
        if self.search is not None and self.search.best is None:
            return self.search.error
        return next((run.outcome.error for run in self.runs if run.outcome.error is not None), None)


Units = Mapping[str, tuple[Kind, Sequence[FittedUnit]]]  # by model


def aggregate_results(
    units: Units, reference: str, cutoffs: Sequence[int], known: BoolArray
) -> tuple[ModelResult, ...]:
    """Return the results of all models with their paired differences."""
    labels = [f"{name}@{k}" for k in cutoffs for name in list_compared_metrics()]
    results = [_build_result(name, kind, fitted, labels, known) for name, (kind, fitted) in units.items()]
    values = {name: dict(_per_user_values(kind, fitted, labels)) for name, (kind, fitted) in units.items()}
    differences = compute_differences({label: list(_pairs(values, reference, label)) for label in labels})
    return tuple(_add_differences(result, differences.get(result.name, [])) for result in results)


def _build_result(
    name: str, kind: Kind, fitted: Sequence[FittedUnit], labels: Sequence[str], known: BoolArray
) -> ModelResult:
    cells = [
        _build_cell(unit, position, None if kind is Kind.WHOLE else width, labels, known)
        for unit in fitted
        for position, width in enumerate(unit.widths[:1] if kind is Kind.WHOLE else unit.widths)
    ]
    return ModelResult(name, kind.value, tuple(cells))


def _build_cell(unit: FittedUnit, position: int, width: int | None, labels: Sequence[str], known: BoolArray) -> Cell:
    runs = unit.runs if unit.error is None else ()
    figures = [run.outcome.figures[position] for run in runs]
    best = None if unit.search is None else unit.search.best
    return Cell(
        width=width,
        options=unit.options,
        seeds=tuple(_seed_metrics(run, at) for run, at in zip(runs, figures, strict=True)),
        metrics=_means([at.metrics for at in figures]),
        intervals=_intervals(runs, figures[0].width, labels) if runs else {},
        beyond_accuracy=_means([at.beyond_accuracy for at in figures]),
        differences=(),
        training_seconds=math.fsum(run.outcome.seconds for run in runs) / len(runs) if runs else math.nan,
        tuning_seconds=0.0 if unit.search is None else unit.search.seconds,
        trials=0 if unit.search is None else len(unit.search.trials),
        validation_value=None if best is None else best.value,
        peak_memory_bytes=max((run.outcome.peak_memory_bytes for run in runs), default=0),
        error=unit.error,
        known_metrics=_means([at.known_metrics for at in figures]),
        known_intervals=_intervals(runs, figures[0].width, labels, known) if runs else {},
        bands={band: _means([at.bands[band] for at in figures]) for band in (figures[0].bands if runs else ())},
    )


def _seed_metrics(run: SeedRun, at: WidthMetrics) -> SeedMetrics:
    return SeedMetrics(run.seed, at.metrics, at.beyond_accuracy, run.outcome.seconds, run.outcome.peak_memory_bytes)


def _means(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {label: math.fsum(at[label] for at in figures) / len(figures) for label in (figures[0] if figures else ())}


def _intervals(
    runs: Sequence[SeedRun], width: int, labels: Sequence[str], users: BoolArray | slice = slice(None)
) -> dict[str, tuple[float, float]]:
    bounds = bootstrap_intervals([_user_means(runs, width, label)[users] for label in labels]).T.tolist()
    return {label: (low, high) for label, (low, high) in zip(labels, bounds, strict=True)}


def _user_means(runs: Sequence[SeedRun], width: int, label: str) -> Float64Array:
    """Return the values per user averaged over seeds, (n_users,)."""
    values: Float64Array = np.mean([run.users[f"{width} {label}"] for run in runs], axis=0, dtype=np.float64)
    return values


def _per_user_values(
    kind: Kind, fitted: Sequence[FittedUnit], labels: Sequence[str]
) -> Iterator[tuple[tuple[int | None, str], Float64Array]]:
    """Yield (width, label) and the values per user of each cell."""
    for unit in fitted:
        if unit.error is None:
            for at in unit.runs[0].outcome.figures:
                for label in labels:
                    width = None if kind is Kind.WHOLE else at.width
                    yield (width, label), _user_means(unit.runs, at.width, label)


def _pairs(
    values: Mapping[str, Mapping[tuple[int | None, str], Float64Array]], reference: str, label: str
) -> Iterator[Pair]:
    for name, of_model in values.items():
        if name == reference:
            continue
        for (width, of_label), ours in values[reference].items():
            theirs = of_model.get((width, label), of_model.get((None, label)))
            if of_label == label and width is not None and theirs is not None:
                yield Pair(name, width, ours, theirs)


def _add_differences(result: ModelResult, differences: Sequence[PairedDifference]) -> ModelResult:
    cells = [
        replace(cell, differences=tuple(one for one in differences if cell.width in (None, one.width)))
        for cell in result.cells
    ]
    return replace(result, cells=tuple(cells))

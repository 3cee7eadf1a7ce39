"""`Comparison`: the metrics of each model at each width, paired differences to nestrec, and costs.

A cell is a model at a width. A model without widths has one cell, of width None, which counts at every width.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from nestrec.comparison.records import from_plain, to_plain
from nestrec.errors import DataError, OptionError
from nestrec.evaluation.popularity_bands import PopularityBand
from nestrec.notebook_html import format_table, format_value
from nestrec.tabular import Tabular, Values

FORMAT = "nestrec-comparison"
VERSION = 1

_SIGNIFICANT = 0.05  # family-wise error rate

Options = dict[str, Any]  # hyperparameter -> number, string or bool


@dataclass(frozen=True)
class DataSummary:
    """The training and test interactions."""

    train_fingerprint: str  # Interactions.fingerprint()
    test_fingerprint: str
    users: int  # of the training part
    items: int
    train_interactions: int
    test_interactions: int
    test_users: int  # the denominator of every mean
    known_test_users: int | None = None  # of these, users with training interactions; None: unknown
    cold_test_items: int = 0  # test items without training interactions
    repeated_interactions: int = 0  # test interactions that are training interactions too
    bands: tuple[PopularityBand, ...] = ()  # by descending popularity


@dataclass(frozen=True)
class Protocol:
    """Settings, the same for every model."""

    widths: tuple[int, ...]
    cutoffs: tuple[int, ...]
    seeds: tuple[int, ...]
    trials: int  # tuning budget of a model in fits per width
    seconds: float | None  # tuning time limit per model and width; None: no limit
    metric: str  # what tuning maximises on the validation part, averaged over widths
    validation_fraction: float
    tuned_reference: bool  # whether nestrec was tuned too
    threads: int | None = None  # None: one per processor


@dataclass(frozen=True)
class SeedMetrics:
    """One fit on all training interactions, evaluated on the test interactions at one width."""

    seed: int
    metrics: dict[str, float]  # recall@k, ndcg@k, precision@k, … means over test users
    beyond_accuracy: dict[str, float]  # coverage@k, gini@k, popularity_rank@k, novelty@k
    training_seconds: float  # of the fit; the cells of a NESTED fit, which serves all widths, repeat them
    peak_memory_bytes: int  # of the fit's own process, above its memory before reading the data


@dataclass(frozen=True)
class PairedDifference:
    """The metric of nestrec minus that of this model, paired over users; above 0 if nestrec is better."""

    label: str  # such as ndcg@k
    width: int  # nestrec's
    mean: float
    low: float  # 95% bootstrap interval over users
    high: float
    p_value: float  # two-sided
    corrected_p_value: float  # Holm, over all differences in this metric


@dataclass(frozen=True)
class Cell:
    """A model at a width."""

    width: int | None  # None: the model has no width
    options: Options  # selected hyperparameters; {} if the model has none
    seeds: tuple[SeedMetrics, ...]  # empty where the model failed
    metrics: dict[str, float]  # means over seeds
    intervals: dict[str, tuple[float, float]]  # of compared metrics: 95% bootstrap over users of the means over seeds
    beyond_accuracy: dict[str, float]  # means over seeds
    differences: tuple[PairedDifference, ...]  # to nestrec at the cell's width, or at all widths; () for nestrec
    training_seconds: float  # mean over seeds; NaN if the model failed
    tuning_seconds: float  # of all trials; the cells of a NESTED model repeat them
    trials: int  # of tuning, that of the defaults included
    validation_value: float | None  # of the selected options in tuning; None: not tuned
    peak_memory_bytes: int  # most over seeds
    error: str | None = None  # why there are no metrics
    known_metrics: dict[str, float] = field(default_factory=dict)  # means over test users with training interactions
    known_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)
    bands: dict[str, dict[str, float]] = field(default_factory=dict)  # popularity band -> compared metrics of its items

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the accuracy metrics, then of the catalogue metrics."""
        return (*self.metrics, *self.beyond_accuracy)

    def describe(self, label: str, width: int) -> dict[str, Any]:
        """Return a metric with its interval, its difference to nestrec at a width, and the costs, as plain values."""
        low, high = self.intervals.get(label, (None, None))
        found = self.difference(label, width)
        return {
            "metric": label,
            "value": self.metrics.get(label, self.beyond_accuracy.get(label)),
            "low": low,
            "high": high,
            "known_value": self.known_metrics.get(label),
            "difference": None if found is None else found.mean,
            "difference_low": None if found is None else found.low,
            "difference_high": None if found is None else found.high,
            "corrected_p_value": None if found is None else found.corrected_p_value,
            "training_seconds": self.training_seconds,
            "tuning_seconds": self.tuning_seconds,
            "peak_memory_bytes": self.peak_memory_bytes,
            "error": self.error,
        }

    def format(self, label: str, width: int) -> str:
        """Return a metric as text, with a star where it differs significantly from nestrec; the error of a failed fit.

        A model without widths is compared with nestrec at the width given.
        """
        if self.error is not None or label not in self.metrics:
            return "failed" if self.error is not None else format_value(None)
        found = self.difference(label, width)
        star = "*" if found is not None and found.corrected_p_value < _SIGNIFICANT else ""
        return f"{format_value(self.metrics[label])}{star}"

    def difference(self, label: str, width: int | None = None) -> PairedDifference | None:
        """Return the difference to nestrec in a metric at a width of nestrec; None uses the cell's own width."""
        width = self.width if width is None else width
        return next((one for one in self.differences if one.label == label and one.width == width), None)


@dataclass(frozen=True)
class ModelResult:
    """A model at all widths."""

    name: str
    kind: Literal["nested", "single", "whole"]  # one fit for all widths; one fit per width; no widths
    cells: tuple[Cell, ...]  # by ascending width; one of width None if kind is whole

    def at(self, width: int) -> Cell:
        """Return the cell at a width; a model without widths has one cell for all."""
        for cell in self.cells:
            if cell.width is None or cell.width == width:
                return cell
        choices = ", ".join(str(cell.width) for cell in self.cells)
        raise OptionError(f"width {width} was not compared; choose one of {choices}")

    @property
    def error(self) -> str | None:
        """The first cell's error, if any."""
        return next((cell.error for cell in self.cells if cell.error is not None), None)

    @property
    def training_seconds(self) -> float:
        """Seconds to fit the model at all widths: one fit if it is nested, the sum over widths otherwise."""
        return self._over_widths([cell.training_seconds for cell in self.cells])

    @property
    def longest_fit_seconds(self) -> float:
        """Seconds of the longest fit; NaN if one failed."""
        return max(cell.training_seconds for cell in self.cells) if self.error is None else math.nan

    @property
    def mean_over_widths(self) -> dict[str, float]:
        """Metrics averaged over the widths; {} if a fit failed."""
        if self.error is not None:
            return {}
        return {
            label: math.fsum(cell.metrics[label] for cell in self.cells) / len(self.cells)
            for label in self.cells[0].metrics
        }

    @property
    def trials(self) -> int:
        """Number of tuning trials."""
        trials = [cell.trials for cell in self.cells]
        return trials[0] if self.kind == "nested" else sum(trials)

    @property
    def tuning_seconds(self) -> float:
        """Seconds of all tuning trials."""
        return self._over_widths([cell.tuning_seconds for cell in self.cells])

    @property
    def peak_memory_bytes(self) -> int:
        """Maximum over fits."""
        return max((cell.peak_memory_bytes for cell in self.cells), default=0)

    def _over_widths(self, values: list[float]) -> float:
        return values[0] if self.kind == "nested" else math.fsum(values)


@dataclass(frozen=True, repr=False)
class Comparison(Tabular):
    """All models, nestrec first, then the others in the order given."""

    data: DataSummary
    protocol: Protocol
    models: tuple[ModelResult, ...]
    reference: str = "nestrec"
    skipped: dict[str, str] = field(default_factory=dict)  # model -> reason, such as a missing extra

    def model(self, name: str) -> ModelResult:
        """Return the result of a model; raise OptionError if it was not compared."""
        for result in self.models:
            if result.name == name:
                return result
        raise OptionError(f"{name!r} was not compared; choose one of {', '.join(r.name for r in self.models)}")

    def as_columns(self) -> Mapping[str, Values]:
        """Return a row per model, width and metric: mean over seeds, interval, paired difference, costs.

        A model without widths has the same mean at every width. A model that failed has an error and no values.
        """
        labels = dict.fromkeys(label for model in self.models for cell in model.cells for label in cell.labels)
        rows = [
            {"model": model.name, "kind": model.kind, "width": width, **model.at(width).describe(label, width)}
            for model in self.models
            for width in self.protocol.widths
            for label in labels
        ]
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        return {"format": FORMAT, "version": VERSION, **to_plain(self)}

    @classmethod
    def from_dict(cls, document: object) -> Comparison:
        """Return the comparison that `as_dict` gave; raise DataError for any other document."""
        header = document if isinstance(document, Mapping) else {}
        if header.get("format") != FORMAT or header.get("version") != VERSION:
            raise DataError(
                f"the document must be a comparison of version {VERSION}, as `nestrec compare --json` writes it; got "
                f"format {header.get('format')!r}, version {header.get('version')!r}"
            )
        try:
            return from_plain(document, cls)
        except msgspec.ValidationError as error:
            raise DataError(f"the comparison is malformed ({error}); run `nestrec compare` again") from error

    def _repr_html_(self) -> str:
        """Show one metric by model and width in a notebook: the one tuned for, where it was evaluated."""
        labels = dict.fromkeys(label for model in self.models for cell in model.cells for label in cell.metrics)
        label = self.protocol.metric if self.protocol.metric in labels else next(iter(labels), "")
        rows = [
            (model.name, *(model.at(width).format(label, width) for width in self.protocol.widths))
            for model in self.models
        ]
        headers = ["model", *(f"width {width}" for width in self.protocol.widths)]
        note = f"* differs from {self.reference} significantly (p < 0.05 after Holm). Other metrics: .to_pandas()"
        return format_table(headers, rows, caption=f"{label}: {repr(self).strip('<>')}", note=note)

    def __repr__(self) -> str:
        """Show the models and the sizes."""
        names, widths = ", ".join(model.name for model in self.models), ", ".join(map(str, self.protocol.widths))
        return f"<Comparison: {names} at widths {widths}, {self.data.test_users} test users>"

"""`Comparison`: what each model reached at each width, how surely it differs from nestrec, and what it cost.

A cell is a model at a width. A model that has no width has one cell, of width None, which stands beside every width of
the others. Plain values only, so that a comparison is JSON and back (`as_dict`, `from_dict`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from nestrec.errors import DataError, OptionError

FORMAT = "nestrec-comparison"
VERSION = 1

Options = dict[str, Any]  # hyperparameter -> number, text or truth value


@dataclass(frozen=True)
class DataSummary:
    """What was trained and judged on."""

    train_fingerprint: str  # Interactions.fingerprint()
    test_fingerprint: str
    users: int  # of the training part
    items: int
    train_interactions: int
    test_interactions: int
    test_users: int  # the denominator of every mean
    known_test_users: int | None = None  # of these, users with training interactions; None: not told
    cold_test_items: int = 0  # test items without training interactions
    repeated_interactions: int = 0  # test interactions that are training interactions too


@dataclass(frozen=True)
class Protocol:
    """The rules, the same for every model."""

    widths: tuple[int, ...]
    cutoffs: tuple[int, ...]
    seeds: tuple[int, ...]
    trials: int  # fits per width that tuning may spend on a model
    seconds: float | None  # most seconds of tuning per model and width; None: no limit
    metric: str  # what tuning maximises on the validation part, averaged over widths
    validation_fraction: float
    tuned_reference: bool  # whether nestrec was tuned too
    threads: int | None = None  # None: one per processor


@dataclass(frozen=True)
class SeedFigures:
    """One fit on all training interactions, judged on the test part at one width."""

    seed: int
    metrics: dict[str, float]  # recall@k, ndcg@k, precision@k, … means over test users
    beyond_accuracy: dict[str, float]  # coverage@k, gini@k, popularity_rank@k, novelty@k
    training_seconds: float  # of the fit; a NESTED fit serves all widths, so each of its cells names the same seconds
    peak_memory_bytes: int  # most memory of the fit's own process, less what it held before it read the data


@dataclass(frozen=True)
class Gap:
    """nestrec less this model, user by user; above 0 where nestrec is better."""

    label: str  # recall@k or ndcg@k
    width: int  # nestrec's
    mean: float
    low: float  # 95% bootstrap interval over users
    high: float
    p_value: float  # two-sided
    corrected_p_value: float  # Holm, over all gaps of this label in the comparison


@dataclass(frozen=True)
class Cell:
    """A model at a width."""

    width: int | None  # None: the model has no width
    options: Options  # the hyperparameters chosen; {} where there is nothing to choose
    seeds: tuple[SeedFigures, ...]  # empty where the model failed
    metrics: dict[str, float]  # means over seeds
    intervals: dict[str, tuple[float, float]]  # recall@k, ndcg@k: 95% bootstrap over users of the means over seeds
    beyond_accuracy: dict[str, float]  # means over seeds
    gaps: tuple[Gap, ...]  # to nestrec: at the same width, or, for a model without width, at every one; () for nestrec
    training_seconds: float  # mean over seeds; NaN where the model failed
    tuning_seconds: float  # of all trials; a NESTED model's cells name the same seconds
    trials: int  # fits that tuning spent, the defaults' included
    validation_value: float | None  # the metric that the options chosen reached in tuning; None: nothing was tuned
    peak_memory_bytes: int  # most over seeds
    error: str | None = None  # why there are no figures
    known_metrics: dict[str, float] = field(default_factory=dict)  # means over test users with training interactions
    known_intervals: dict[str, tuple[float, float]] = field(default_factory=dict)

    def gap(self, label: str, width: int | None = None) -> Gap | None:
        """Return nestrec's lead in a metric at nestrec's width (None: the cell's own); None where there is none."""
        wanted = self.width if width is None else width
        return next((gap for gap in self.gaps if gap.label == label and gap.width == wanted), None)


@dataclass(frozen=True)
class ModelResult:
    """A model at all widths."""

    name: str
    kind: str  # nested: one fit serves every width; single: a fit a width; whole: no width
    cells: tuple[Cell, ...]  # by ascending width; one of width None where kind is whole

    def at(self, width: int) -> Cell:
        """Return the cell that stands at a width: a model without width stands at every one."""
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
        """Seconds to have the model at all widths: one fit where it nests, the sum of its widths' fits otherwise."""
        return self._over_widths([cell.training_seconds for cell in self.cells])

    @property
    def tuning_seconds(self) -> float:
        """Seconds that tuning took in all."""
        return self._over_widths([cell.tuning_seconds for cell in self.cells])

    @property
    def peak_memory_bytes(self) -> int:
        """Most memory of any of its fits."""
        return max((cell.peak_memory_bytes for cell in self.cells), default=0)

    def _over_widths(self, values: list[float]) -> float:
        return values[0] if self.kind == "nested" else math.fsum(values)


@dataclass(frozen=True)
class Comparison:
    """All models, nestrec first, the others in the order they were named."""

    data: DataSummary
    protocol: Protocol
    models: tuple[ModelResult, ...]
    reference: str = "nestrec"
    skipped: dict[str, str] = field(default_factory=dict)  # model -> why it was left out, as an extra not installed

    def model(self, name: str) -> ModelResult:
        """Return one model's results; raise OptionError for one that was not compared."""
        for result in self.models:
            if result.name == name:
                return result
        raise OptionError(f"{name!r} was not compared; choose one of {', '.join(r.name for r in self.models)}")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        return {"format": FORMAT, "version": VERSION, **_plain(asdict(self))}

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> Comparison:
        """Return what `as_dict` gave; raise DataError for anything else."""
        if document.get("format") != FORMAT or document.get("version") != VERSION:
            raise DataError(
                f"this is no comparison of version {VERSION} (format {document.get('format')!r}, version "
                f"{document.get('version')!r}); give what `nestrec compare --json` wrote"
            )
        try:
            return cls(
                data=DataSummary(**document["data"]),
                protocol=_protocol(document["protocol"]),
                models=tuple(_model(entry) for entry in document["models"]),
                reference=document["reference"],
                skipped=dict(document["skipped"]),
            )
        except (KeyError, TypeError) as error:
            raise DataError(f"this comparison is incomplete ({error}); run `nestrec compare` again") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _protocol(entry: Mapping[str, Any]) -> Protocol:
    lists = {name: tuple(entry[name]) for name in ("widths", "cutoffs", "seeds")}
    return Protocol(**{**entry, **lists})


def _model(entry: Mapping[str, Any]) -> ModelResult:
    return ModelResult(entry["name"], entry["kind"], tuple(_cell(cell) for cell in entry["cells"]))


def _cell(entry: Mapping[str, Any]) -> Cell:
    parts = {
        "seeds": tuple(_seed(figures) for figures in entry["seeds"]),
        "metrics": _numbers(entry["metrics"]),
        "intervals": _bounds(entry["intervals"]),
        "known_metrics": _numbers(entry.get("known_metrics", {})),
        "known_intervals": _bounds(entry.get("known_intervals", {})),
        "beyond_accuracy": _numbers(entry["beyond_accuracy"]),
        "gaps": tuple(Gap(**gap) for gap in entry["gaps"]),
        "training_seconds": _number(entry["training_seconds"]),
    }
    return Cell(**{**entry, **parts})


def _seed(entry: Mapping[str, Any]) -> SeedFigures:
    figures = {name: _numbers(entry[name]) for name in ("metrics", "beyond_accuracy")}
    return SeedFigures(**{**entry, **figures})


def _bounds(entry: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
    return {label: (_number(low), _number(high)) for label, (low, high) in entry.items()}


def _numbers(entry: Mapping[str, float | None]) -> dict[str, float]:
    return {label: _number(value) for label, value in entry.items()}


def _number(value: float | None) -> float:
    return math.nan if value is None else float(value)

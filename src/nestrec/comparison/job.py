"""`Job`: one fit and what it is judged on; `Outcome`: what came of it. JSON between processes and in the log."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Any, Literal

from nestrec.comparison.result import Options

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class Job:
    """A model with its options, fitted on one part and judged on another."""

    model: str
    options: Options
    widths: tuple[int, ...]  # what fit is called with
    part: Part  # validation: fitted on nine tenths of the training interactions; test: fitted on all of them
    seed: int
    threads: int
    cutoffs: tuple[int, ...]
    metrics: tuple[str, ...]  # accuracy metrics needed per user, or to choose a trial

    def key(self, data: Mapping[str, str]) -> str:
        """Return what tells this job from every other: `data` names what it is fitted and judged on.

        Threads and the version enter, since seconds and training depend on them.
        """
        told = {"job": asdict(self), "data": dict(data), "nestrec": version("nestrec")}
        return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:32]

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Job:
        """Return what `asdict` gave, also by way of JSON."""
        return cls(
            **{
                **entry,
                "widths": tuple(entry["widths"]),
                "cutoffs": tuple(entry["cutoffs"]),
                "metrics": tuple(entry["metrics"]),
            }
        )


@dataclass(frozen=True)
class WidthFigures:
    """Means over users at one width."""

    width: int
    metrics: dict[str, float]
    beyond_accuracy: dict[str, float]
    known_metrics: dict[str, float] = field(default_factory=dict)  # over the users that the model knows


@dataclass(frozen=True)
class Outcome:
    """What a fit gave, or why it gave nothing."""

    seconds: float  # of the fit alone; libraries were loaded and kernels compiled before
    peak_memory_bytes: int
    figures: tuple[WidthFigures, ...]  # one for each width; a model without width has one
    error: str | None = None

    @classmethod
    def failed(cls, error: str, seconds: float = 0.0) -> Outcome:
        """Return the outcome of a fit that did not come to its end."""
        return cls(seconds, 0, (), error)

    @classmethod
    def from_dict(cls, entry: Mapping[str, Any]) -> Outcome:
        """Return what `asdict` gave, also by way of JSON."""
        figures = tuple(WidthFigures(**figures) for figures in entry["figures"])
        return cls(entry["seconds"], entry["peak_memory_bytes"], figures, entry["error"])

    def mean(self, label: str) -> float:
        """Return a metric averaged over the widths; NaN where the fit failed."""
        values = [figures.metrics[label] for figures in self.figures]
        return math.fsum(values) / len(values) if values else math.nan

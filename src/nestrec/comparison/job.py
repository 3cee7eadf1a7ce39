"""`Job`: a fit and its evaluation; `Outcome`: its result. JSON between processes and in the log of runs."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from typing import Literal

from nestrec.comparison.result import Options

Part = Literal["validation", "test"]


@dataclass(frozen=True)
class Job:
    """A model with its options, fitted on one part of the data and evaluated on another."""

    model: str
    options: Options
    widths: tuple[int, ...]  # of the fit
    part: Part  # validation: fitted on 90% of the training interactions; test: on all
    seed: int
    threads: int
    cutoffs: tuple[int, ...]
    metrics: tuple[str, ...]  # accuracy metrics needed per user, or to choose a trial

    def key(self, data: Mapping[str, str]) -> str:
        """Return a hash that identifies the job on these data (part -> fingerprint), threads and version included."""
        identity = {"job": asdict(self), "data": dict(data), "nestrec": version("nestrec")}
        return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class WidthMetrics:
    """Means over users at one width."""

    width: int
    metrics: dict[str, float]
    beyond_accuracy: dict[str, float]
    known_metrics: dict[str, float] = field(default_factory=dict)  # over warm users
    bands: dict[str, dict[str, float]] = field(default_factory=dict)  # popularity band -> metrics; on the test part


@dataclass(frozen=True)
class Outcome:
    """Metrics and costs of a fit, or the reason why it failed."""

    seconds: float  # of the fit alone, without loading libraries and compiling kernels
    peak_memory_bytes: int
    figures: tuple[WidthMetrics, ...]  # by width; one for a model without widths
    error: str | None = None

    @classmethod
    def failure(cls, error: str, seconds: float = 0.0) -> Outcome:
        """Return the outcome of a failed fit."""
        return cls(seconds, 0, (), error)

    def mean(self, label: str) -> float:
        """Return a metric averaged over the widths; NaN if the fit failed."""
        values = [figures.metrics[label] for figures in self.figures]
        return math.fsum(values) / len(values) if values else math.nan


@dataclass(frozen=True)
class Task:
    """A job and the file for its metrics per user."""

    job: Job
    per_user: str | None = None  # None: they are not needed


@dataclass(frozen=True)
class Request:
    """Jobs with the files to read, as a worker gets them: one fit, and models derived from the fitted one."""

    tasks: tuple[Task, ...]  # the first is fitted; the others are of derived baselines
    train: str
    held_out: str

"""Results of an evaluation by width: means with intervals, values per user, and catalogue metrics."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from os import PathLike
from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float32Array
from nestrec.data.ids import IdArray
from nestrec.errors import OptionError
from nestrec.evaluation.held_out import Unmatched
from nestrec.evaluation.per_user import write_per_user
from nestrec.evaluation.popularity_bands import BandMeans, PopularityBand
from nestrec.evaluation.significance import CONFIDENCE
from nestrec.notebook_html import format_table, format_value
from nestrec.tabular import Tabular, Values


@dataclass(frozen=True, eq=False, repr=False)
class WidthEvaluation:
    """The metrics of one width, by label such as `recall@20`."""

    width: int
    means: dict[str, float]  # over all evaluated users, cold ones included
    intervals: dict[str, tuple[float, float]]  # 95% bootstrap interval over users; empty without bootstrap
    known_means: dict[str, float]  # over warm users; their cold items stay in the denominators
    known_intervals: dict[str, tuple[float, float]]
    beyond_accuracy: dict[str, float]  # coverage@20, gini@20, popularity_rank@20, novelty@20, …
    per_user: Float32Array  # (n_users, n_labels) columns in the order of `means`
    bands: BandMeans = field(default_factory=dict)  # popularity band -> label -> mean; empty unless by popularity

    def __repr__(self) -> str:
        """Show the width and the means."""
        means = ", ".join(f"{label} {value:.4f}" for label, value in self.means.items())
        return f"<WidthEvaluation: width {self.width}{', ' if means else ''}{means}>"

    def format(self, label: str) -> str:
        """Return a metric with half of its interval, as text.

        >>> figures = WidthEvaluation(4, {"recall@5": 0.25}, {"recall@5": (0.2, 0.3)}, {}, {}, {}, None)
        >>> figures.format("recall@5")
        '0.2500 ±0.0500'
        """
        value = self.means[label] if label in self.means else self.beyond_accuracy[label]
        low, high = self.intervals.get(label, (value, value))
        return format_value(value) + (f" ±{(high - low) / 2:.4f}" if low < high else "")

    def of_users(self, label: str) -> Float32Array:
        """Return a metric per user, (n_users,), in the order of `Evaluation.user_ids`."""
        if label not in self.means:
            raise OptionError(f"{label!r} was not evaluated; choose one of {', '.join(self.means)}")
        return self.per_user[:, list(self.means).index(label)]

    def rows(self) -> Iterator[tuple[str, *tuple[float | None, ...]]]:
        """Yield label, mean, low and high, then the same over warm users; catalogue metrics have only a value."""
        for label, mean in self.means.items():
            bounds = self.intervals.get(label, (None, None))
            yield label, mean, *bounds, self.known_means[label], *self.known_intervals.get(label, (None, None))
        for label, value in self.beyond_accuracy.items():
            yield label, value, *(None,) * 5

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON; NaN becomes None."""
        figures = {**self.means, **self.beyond_accuracy}
        result: dict[str, Any] = {"width": self.width}
        result |= {label: None if math.isnan(value) else value for label, value in figures.items()}
        if self.intervals:
            result["intervals"] = _lists(self.intervals)
        result["known_users"] = {**self.known_means}
        if self.known_intervals:
            result["known_users"]["intervals"] = _lists(self.known_intervals)
        if self.bands:
            result["bands"] = self.bands
        return result


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation(Tabular):
    """Metrics of a full-ranking evaluation at every width, as `nestrec.evaluate` returns them."""

    user_ids: IdArray  # (n_users,) users with held-out interactions, cold ones included
    is_known: BoolArray  # (n_users,) False for cold users
    n_interactions: int  # held out
    n_items: int  # of the model
    cutoffs: tuple[int, ...]
    widths: tuple[WidthEvaluation, ...]  # ascending
    unmatched: Unmatched
    bootstrap_samples: int
    seed: int
    bands: tuple[PopularityBand, ...] = ()  # by descending popularity; empty unless by popularity

    @property
    def n_users(self) -> int:
        """Users with held-out interactions: the denominator of every mean."""
        return len(self.user_ids)

    @property
    def n_known_users(self) -> int:
        """Warm users with held-out interactions: the denominator of `known_means`."""
        return int(np.count_nonzero(self.is_known))

    def warning(self) -> str | None:
        """Return a warning if a large share of the held-out interactions is in the training data too."""
        return self.unmatched.warning(self.n_interactions)

    def at(self, width: int) -> WidthEvaluation:
        """Return the metrics of one width; raise OptionError if it was not evaluated."""
        for figures in self.widths:
            if figures.width == width:
                return figures
        choices = ", ".join(str(figures.width) for figures in self.widths)
        raise OptionError(f"width {width} was not evaluated; choose one of {choices}")

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON: users, cutoffs, an entry per width, and settings."""
        result: dict[str, Any] = {"users": self.n_users, "known_users": self.n_known_users}
        result["cutoffs"] = list(self.cutoffs)
        result["widths"] = [figures.as_dict() for figures in self.widths]
        result["items"] = self.n_items
        result["interactions"] = self.n_interactions
        result["unmatched"] = asdict(self.unmatched)
        if self.bands:
            result["bands"] = [asdict(band) for band in self.bands]
        if self.bootstrap_samples:
            result["bootstrap"] = {"samples": self.bootstrap_samples, "seed": self.seed, "confidence": CONFIDENCE}
        return result

    def as_columns(self) -> Mapping[str, Values]:
        """Return a row per width and metric: means over all users and over the warm ones, with 95% intervals."""
        rows = [(figures.width, *row) for figures in self.widths for row in figures.rows()]
        names = ("width", "metric", "value", "low", "high", "known_value", "known_low", "known_high")
        return {name: [row[place] for row in rows] for place, name in enumerate(names)}

    def save_per_user(self, path: str | PathLike[str], *, overwrite: bool = False) -> None:
        """Write a Parquet file with a row per width and user: user_id, width, a column per metric, known_user.

        The file is written atomically. Raises OptionError if it exists and `overwrite` is False, or cannot be written.
        """
        tables = {figures.width: (tuple(figures.means), figures.per_user) for figures in self.widths}
        write_per_user(path, self.user_ids, tables, self.is_known, overwrite=overwrite)

    def _repr_html_(self) -> str:
        """Show the metrics of the middle cutoff by width in a notebook."""
        k = self.cutoffs[len(self.cutoffs) // 2]
        first = self.widths[0]
        labels = [label for label in (*first.means, *first.beyond_accuracy) if label.endswith(f"@{k}")]
        rows = [(figures.width, *(figures.format(label) for label in labels)) for figures in self.widths]
        half = "± is half of the 95% interval over users. " if first.intervals else ""
        note = f"{half}Other cutoffs: .at(width).means, .to_pandas()"
        return format_table(["width", *labels], rows, caption=repr(self).strip("<>"), note=note, left=())

    def __repr__(self) -> str:
        """Show the sizes."""
        widths = ", ".join(str(figures.width) for figures in self.widths)
        return f"<Evaluation: {self.n_users} users, widths {widths}, cutoffs {', '.join(map(str, self.cutoffs))}>"


def _lists(intervals: dict[str, tuple[float, float]]) -> dict[str, list[float]]:
    return {label: list(bounds) for label, bounds in intervals.items()}

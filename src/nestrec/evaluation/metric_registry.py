"""Registry of metrics: each states its formula, its source and where it is shown.

A package adds metrics through the entry-point group `nestrec.metrics`: each entry point names an `AccuracyMetric` or a
`CatalogueMetric`. Evaluation, its tables and JSON, comparisons and `--metric NAME@K` take them from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from nestrec.arguments import suggest
from nestrec.arrays import Float64Array
from nestrec.errors import OptionError, PluginError
from nestrec.evaluation import metrics as accuracy
from nestrec.evaluation.beyond_accuracy import CatalogueLists, coverage, gini, novelty, popularity_rank
from nestrec.plugins import merge_plugins

_LARGEST_CUTOFF = 100_000


@dataclass(frozen=True, kw_only=True)
class AccuracyMetric:
    """A metric with a value per user, averaged over users; higher is better."""

    name: str
    function: Callable[[accuracy.Hits, int], Float64Array]  # hits, k -> (n_users,)
    source: str
    """Paper or definition."""
    in_tables: bool = True
    """Computed and shown by `evaluate` unless its `metrics=` says otherwise."""
    in_comparison: bool = True
    """Tested by paired differences in `compare`, with a table of its own."""


@dataclass(frozen=True, kw_only=True)
class CatalogueMetric:
    """A metric of all lists together."""

    name: str
    function: Callable[[CatalogueLists], float]
    source: str
    """Paper or definition."""
    diverse: Literal["higher", "lower"]
    """Which values mean more diverse recommendations."""
    in_tables: bool = True
    """Computed and shown by `evaluate` unless its `metrics=` says otherwise."""


Metric: TypeAlias = AccuracyMetric | CatalogueMetric

_IR = "Manning, Raghavan and Schütze 2008, chapter 8"
_BUILT_IN: tuple[Metric, ...] = (
    AccuracyMetric(name="recall", function=accuracy.recall_at_k, source=_IR),
    AccuracyMetric(name="ndcg", function=accuracy.ndcg_at_k, source="Järvelin and Kekäläinen 2002"),
    AccuracyMetric(name="precision", function=accuracy.precision_at_k, source=_IR, in_comparison=False),
    AccuracyMetric(
        name="hit_rate", function=accuracy.hit_rate_at_k, source="Deshpande and Karypis 2004", in_comparison=False
    ),
    AccuracyMetric(name="mrr", function=accuracy.mrr_at_k, source="Voorhees 1999", in_comparison=False),
    AccuracyMetric(name="map", function=accuracy.map_at_k, source=_IR, in_comparison=False),
    CatalogueMetric(
        name="coverage", function=coverage, source="Ge, Delgado-Battenfeld and Jannach 2010", diverse="higher"
    ),
    CatalogueMetric(name="gini", function=gini, source="Gunawardana, Shani and Yogev 2015", diverse="lower"),
    CatalogueMetric(name="popularity_rank", function=popularity_rank, source="mean rank", diverse="higher"),
    CatalogueMetric(name="novelty", function=novelty, source="Zhou et al. 2010", diverse="higher"),
)


def load_metrics() -> dict[str, Metric]:
    """Return all metrics by name, built-in ones first; raise PluginError for an invalid plug-in."""
    metrics: dict[str, Metric] = merge_plugins("nestrec.metrics", {metric.name: metric for metric in _BUILT_IN})
    for name, metric in metrics.items():
        if not isinstance(metric, Metric) or metric.name != name:
            raise PluginError(
                f"entry point {name!r} of group nestrec.metrics must name an AccuracyMetric or a CatalogueMetric with "
                f"the name {name!r}; got {metric!r}"
            )
    return metrics


def load_accuracy_metrics() -> dict[str, AccuracyMetric]:
    """Return the metrics with a value per user by name."""
    return {name: metric for name, metric in load_metrics().items() if isinstance(metric, AccuracyMetric)}


def list_compared_metrics() -> tuple[str, ...]:
    """Return the names of the metrics that comparisons test."""
    return tuple(name for name, metric in load_accuracy_metrics().items() if metric.in_comparison)


def select_metrics(names: Iterable[str] | str | None) -> tuple[Metric, ...]:
    """Return metrics by name in the registry's order; None selects those shown by default. Raises OptionError."""
    known = load_metrics()
    if names is None:
        return tuple(metric for metric in known.values() if metric.in_tables)
    given = (names,) if isinstance(names, str) else tuple(names)
    unknown = [name for name in given if name not in known]
    if unknown or not given:
        raise _name_error("metrics", f"some of {', '.join(known)}", unknown[0] if unknown else None, known)
    return tuple(metric for name, metric in known.items() if name in given)


def _name_error(option: str, rule: str, given: object, known: Iterable[str]) -> OptionError:
    """Return the error about a metric that is not one of the known ones; None is for no metric at all."""
    if given is None:
        return OptionError(f"{option} must be {rule}; got none", option=option)
    name, names = str(given).partition("@")[0].strip().lower(), list(known)
    meant = "" if name in names else suggest(name, names)
    return OptionError(f"{option} must be {rule}; got {given!r}{meant}", option=option)


def format_labels(metrics: Sequence[Metric], cutoffs: Sequence[int]) -> tuple[str, ...]:
    """Return the labels of metrics at cutoffs, by cutoff first.

    >>> format_labels(select_metrics(["ndcg", "recall"]), (10, 20))
    ('recall@10', 'ndcg@10', 'recall@20', 'ndcg@20')
    """
    return tuple(f"{metric.name}@{k}" for k in cutoffs for metric in metrics)


@dataclass(frozen=True)
class MetricAtCutoff:
    """An accuracy metric at a cutoff, such as `ndcg@20`."""

    name: str
    k: int

    @classmethod
    def parse(cls, label: str) -> MetricAtCutoff:
        """Parse a label; raise OptionError for an unknown metric or an invalid cutoff.

        >>> MetricAtCutoff.parse("ndcg@20")
        MetricAtCutoff(name='ndcg', k=20)
        """
        name, _, cutoff = label.partition("@") if isinstance(label, str) else ("", "", "")
        known = load_accuracy_metrics()
        if name not in known or not cutoff.isdecimal() or not 1 <= int(cutoff[:9]) <= _LARGEST_CUTOFF:
            rule = f"one of {', '.join(known)} at a cutoff from 1 to {_LARGEST_CUTOFF}, such as ndcg@20"
            raise _name_error("metric", rule, label, known)
        return cls(name, int(cutoff))

    def __str__(self) -> str:
        """Return the label."""
        return f"{self.name}@{self.k}"

"""A synthetic comparison of twelve models, with quality a formula of the width, for tests of reports."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

from nestrec.comparison.result import (
    Cell,
    Comparison,
    DataSummary,
    ModelResult,
    PairedDifference,
    Protocol,
    SeedMetrics,
)
from nestrec.evaluation.popularity_bands import PopularityBand
from nestrec.report.comparison_view import ComparisonView

WIDTHS = (4, 8, 16, 32, 64)
BANDS = (
    PopularityBand("head", 90, 266_700, 66_000, 5900),
    PopularityBand("middle", 310, 266_600, 67_000, 5800),
    PopularityBand("tail", 3306, 266_700, 67_000, 5500),
)
# name -> kind, ndcg@20 at the widest, share of it at the narrowest, seconds of a fit
MODELS: dict[str, tuple[Literal["nested", "single", "whole"], float, float, float]] = {
    "nestrec": ("nested", 0.240, 0.70, 9.0),
    "popularity": ("whole", 0.061, 1.0, 0.0004),
    "itemknn-cosine": ("whole", 0.221, 1.0, 0.31),
    "itemknn-tfidf": ("whole", 0.219, 1.0, 0.33),
    "itemknn-bm25": ("whole", 0.224, 1.0, 0.35),
    "ease": ("whole", 0.239, 1.0, 1.9),
    "puresvd": ("nested", 0.224, 0.64, 0.8),
    "ials": ("single", 0.236, 0.62, 2.4),
    "ials-rotated": ("nested", 0.232, 0.45, 3.1),
    "implicit-bpr": ("single", 0.190, 0.60, 4.0),
    "lightgcn": ("single", 0.222, 0.66, 410.0),
    "nestrec-alone": ("single", 0.239, 0.70, 4.2),
}


def ndcg(name: str, width: int) -> float:
    """Return ndcg@20: straight in log2 of the width."""
    kind, full, share, _ = MODELS[name]
    return full if kind == "whole" else full * (share + (1 - share) * (WIDTHS.index(width) / (len(WIDTHS) - 1)) ** 0.7)


def difference(name: str, label: str, width: int) -> PairedDifference:
    """Return the difference to nestrec, significant if it is above 0.004 either way."""
    mean = (ndcg("nestrec", width) - ndcg(name, width)) * (1.2 if label.startswith("recall") else 1.0)
    p_value = 0.0001 if abs(mean) > 0.004 else 0.4
    return PairedDifference(label, width, mean, mean - 0.004, mean + 0.004, p_value, min(1.0, 3 * p_value))


def cell(name: str, width: int | None) -> Cell:
    """Return a model at a width."""
    value = ndcg(name, WIDTHS[-1] if width is None else width)
    seconds = MODELS[name][3] * (1.0 if MODELS[name][0] != "single" else (0.6 + (width or 0) / 160))
    metrics = {"recall@20": 1.2 * value, "ndcg@20": value}
    beyond = {"coverage@20": 0.4 + value, "gini@20": 0.8, "novelty@20": 9.5}
    at = () if name == "nestrec" else WIDTHS if width is None else (width,)
    return Cell(
        width=width,
        options={} if name == "popularity" else {"regularization": 0.0123456, "n_epochs": 30},
        seeds=tuple(SeedMetrics(seed, metrics, beyond, seconds, 90_000_000) for seed in (0, 1, 2)),
        metrics=metrics,
        intervals={label: (mean - 0.005, mean + 0.005) for label, mean in metrics.items()},
        beyond_accuracy=beyond,
        differences=tuple(difference(name, label, one) for label in metrics for one in at),
        training_seconds=seconds,
        tuning_seconds=12 * seconds,
        trials=0 if name == "nestrec" else 10,
        validation_value=None if name == "nestrec" else value * 0.9,
        peak_memory_bytes=90_000_000,
        bands={
            band.name: {label: mean * share for label, mean in metrics.items()}
            for band, share in zip(BANDS, (1.4, 0.9, 0.3), strict=True)
        },
    )


def failed(of: Cell, error: str) -> Cell:
    """Return a cell without figures."""
    empty: dict[str, Any] = {
        "seeds": (),
        "metrics": {},
        "beyond_accuracy": {},
        "differences": (),
        "intervals": {},
        "bands": {},
    }
    return replace(of, training_seconds=float("nan"), peak_memory_bytes=0, error=error, **empty)


def view(*names: str) -> ComparisonView:
    """Return the view of a comparison of these models, or of all."""
    return ComparisonView(comparison(*names))


def comparison(*names: str) -> Comparison:
    """Return a comparison of these models, or of all."""
    models = tuple(
        ModelResult(name, MODELS[name][0], tuple(cell(name, width) for width in _widths(name)))
        for name in names or MODELS
    )
    data = DataSummary("ab" * 32, "cd" * 32, 6040, 3706, 800_000, 200_000, 6038, bands=BANDS)
    return Comparison(data, Protocol(WIDTHS, (20,), (0, 1, 2), 10, None, "ndcg@20", 0.1, False), models)


def with_failure(name: str, width: int | None = None) -> Comparison:
    """Return all models, one of which failed, at one width or at all."""
    found = comparison()
    cells = tuple(failed(of, "memory ran out") if width in (None, of.width) else of for of in found.model(name).cells)
    models = tuple(replace(model, cells=cells) if model.name == name else model for model in found.models)
    return replace(found, models=models)


def _widths(name: str) -> tuple[int | None, ...]:
    return (None,) if MODELS[name][0] == "whole" else WIDTHS

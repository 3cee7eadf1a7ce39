"""Evaluation results as tables: accuracy metrics at each cutoff, catalogue metrics at the middle one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from nestrec.data.read_report import format_count
from nestrec.evaluation.metric_registry import CatalogueMetric, load_metrics
from nestrec.report.quality import WidthQuality, quality_table, read_qualities, read_warm_qualities
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.evaluation.evaluation import Evaluation
    from nestrec.evaluation.popularity_bands import BandMeans, PopularityBand


def evaluation_tables(evaluation: Evaluation) -> Iterator[TextTable]:
    """Yield accuracy tables per cutoff, over all users and over the known ones, then a table of catalogue metrics."""
    document = evaluation.as_dict()
    rows, known_rows = read_qualities(document), read_warm_qualities(document)
    for k in evaluation.cutoffs:
        labels = _select_labels(evaluation.widths[0].means, k)
        if labels:
            yield quality_table(rows, labels, _format_title(evaluation, k))
            if evaluation.n_known_users < evaluation.n_users:
                title = f"The {format_count(evaluation.n_known_users, 'user')} known to the model, top {k}"
                yield quality_table(known_rows, labels, title + _describe_intervals(evaluation))
    if evaluation.widths[0].beyond_accuracy:
        yield _catalogue_table(evaluation, rows, _middle_cutoff(evaluation))
    if evaluation.bands:
        yield _bands_table(evaluation, _middle_cutoff(evaluation))


def _middle_cutoff(evaluation: Evaluation) -> int:
    return evaluation.cutoffs[len(evaluation.cutoffs) // 2]


def _select_labels(labels: Iterable[str], k: int) -> list[str]:
    return [label for label in labels if label.endswith(f"@{k}")]


def _format_title(evaluation: Evaluation, k: int) -> str:
    cold = evaluation.n_users - evaluation.n_known_users
    users = format_count(evaluation.n_users, "user")
    if cold:
        users = f"All {users}, {cold:,} of them unknown to the model, which count as 0"
    return f"{users}; {format_count(evaluation.n_items, 'item')}, top {k}{_describe_intervals(evaluation)}"


def _describe_intervals(evaluation: Evaluation) -> str:
    return " (± half of the 95% interval)" if evaluation.bootstrap_samples else ""


def _catalogue_table(evaluation: Evaluation, rows: Iterable[WidthQuality], k: int) -> TextTable:
    labels = _select_labels(evaluation.widths[0].beyond_accuracy, k)
    cells = tuple((str(row.width), *(_format_value(row, label) for label in labels)) for row in rows)
    title = f"Catalogue metrics{_describe_directions(labels)}"
    return TextTable(("width", *labels), cells, title)


def _bands_table(evaluation: Evaluation, k: int) -> TextTable:
    """Return the accuracy metrics of each popularity band, a column per width."""
    rows = tuple(
        (label, _describe_band(band), *(_format_band(at.bands, band.name, label) for at in evaluation.widths))
        for label in _select_labels(evaluation.widths[0].means, k)
        for band in evaluation.bands
    )
    headers = ("metric", "held-out items", *(f"width {at.width}" for at in evaluation.widths))
    title = "By popularity: items in three bands with a third of the training interactions each; all items are ranked"
    return TextTable(headers, rows, title, n_left=2)


def _describe_band(band: PopularityBand) -> str:
    return f"{band.name}: {format_count(band.items, 'item')}, {format_count(band.test_users, 'user')}"


def _format_band(bands: BandMeans, name: str, label: str) -> str:
    return f"{bands[name][label]:.4f}" if name in bands else "–"


def _describe_directions(labels: Iterable[str]) -> str:
    """Return which values mean more diverse lists."""
    metrics = [load_metrics().get(label.partition("@")[0]) for label in labels]
    lower = [metric.name for metric in metrics if isinstance(metric, CatalogueMetric) and metric.diverse == "lower"]
    exceptions = f", except lower {', '.join(lower)}" if lower else ""
    return f" (higher is more diverse{exceptions})"


def _format_value(row: WidthQuality, label: str) -> str:
    return f"{row.metrics[label].value:.4g}" if label in row.metrics else "–"


def describe_unmatched(evaluation: Evaluation) -> Iterator[str]:
    """Yield sentences on held-out data that cannot be hit: cold users, cold items, training interactions."""
    unmatched = evaluation.unmatched
    if unmatched.users:
        yield f"Users unknown to the model, which count as 0: {unmatched.users:,}."
    if unmatched.items:
        yield (
            f"Items unknown to the model: {unmatched.items:,}; "
            f"interactions of known users with them, which count as misses: {unmatched.item_interactions:,}."
        )
    warning = evaluation.warning()
    if warning is not None:
        yield f"Warning: {warning}."
    elif unmatched.seen_interactions:
        yield (
            f"Held-out interactions that are also in the training data: {unmatched.seen_interactions:,}; they count as "
            "misses, because seen items are masked."
        )

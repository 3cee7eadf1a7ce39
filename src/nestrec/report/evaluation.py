"""An evaluation as tables: accuracy for each cutoff, what the lists do to the catalogue for the middle one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nestrec.data.read_report import counted
from nestrec.report.quality import Estimate, WidthQuality, known_qualities, qualities, quality_table
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.evaluation.evaluation import Evaluation

_ACCURACY = ("recall", "precision", "hit_rate", "mrr", "map", "ndcg")  # the share kept goes by the last
_CATALOGUE = ("coverage", "gini", "popularity_rank", "novelty")


def evaluation_tables(evaluation: Evaluation) -> Iterator[TextTable]:
    """Yield the table of each cutoff, over all users and over those the model knows, then one on the catalogue."""
    document = evaluation.as_dict()
    rows, known_rows = qualities(document), known_qualities(document)
    for k in evaluation.cutoffs:
        yield _accuracy_table(rows, k, _title(evaluation, k))
        if evaluation.n_known_users < evaluation.n_users:
            title = f"The {_users(evaluation.n_known_users)} known to the model, the first {k}"
            yield _accuracy_table(known_rows, k, title + _half(evaluation))
    yield _catalogue_table(rows, evaluation.cutoffs[len(evaluation.cutoffs) // 2])


def _accuracy_table(rows: tuple[WidthQuality, ...], k: int, title: str) -> TextTable:
    table = quality_table(rows, [f"{name}@{k}" for name in _ACCURACY])
    return TextTable(table.headers, table.rows, title)


def _title(evaluation: Evaluation, k: int) -> str:
    unknown = evaluation.n_users - evaluation.n_known_users
    who = _users(evaluation.n_users)
    if unknown:
        who = f"All {who}, {unknown:,} of whom the model does not know and who count as 0"
    return f"{who}; {counted(evaluation.n_items, 'item')}, the first {k}{_half(evaluation)}"


def _half(evaluation: Evaluation) -> str:
    return " (± half of the 95% interval)" if evaluation.bootstrap_samples else ""


def _users(number: int) -> str:
    return counted(number, "user")


def unmatched_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield what of the held-out data the model could not have known."""
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
            f"Interactions that stand in the training data too: {unmatched.seen_interactions:,}; they count as misses, "
            "since what was seen is not ranked."
        )


def _catalogue_table(rows: tuple[WidthQuality, ...], k: int) -> TextTable:
    labels = [f"{name}@{k}" for name in _CATALOGUE]
    cells = tuple((str(row.width), *(_figure(row.metrics.get(label)) for label in labels)) for row in rows)
    return TextTable(("width", *labels), cells, "What the lists do to the catalogue")


def _figure(estimate: Estimate | None) -> str:
    return "–" if estimate is None else f"{estimate.value:.4g}"

"""An evaluation as tables: accuracy for each cutoff, what the lists do to the catalogue for the middle one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from nestrec.report.quality import Estimate, WidthQuality, qualities, quality_table
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.evaluation.evaluation import Evaluation

_ACCURACY = ("recall", "precision", "hit_rate", "mrr", "map", "ndcg")  # the share kept goes by the last
_CATALOGUE = ("coverage", "gini", "popularity_rank", "novelty")


def evaluation_tables(evaluation: Evaluation) -> Iterator[TextTable]:
    """Yield one table a cutoff, then one on the catalogue."""
    rows = qualities(evaluation.as_dict())
    for k in evaluation.cutoffs:
        table = quality_table(rows, [f"{name}@{k}" for name in _ACCURACY])
        intervals = " (± half of the 95% interval)" if evaluation.bootstrap_samples else ""
        title = f"{evaluation.n_users:,} users, {evaluation.n_items:,} items, the first {k}{intervals}"
        yield TextTable(table.headers, table.rows, title)
    yield _catalogue_table(rows, evaluation.cutoffs[len(evaluation.cutoffs) // 2])


def unmatched_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield what of the held-out data the model could not have known."""
    unmatched = evaluation.unmatched
    if unmatched.users:
        yield f"Users unknown to the model, which count as 0: {unmatched.users:,}."
    if unmatched.items:
        yield (
            f"Items unknown to the model: {unmatched.items:,}; "
            f"interactions with them, which count as misses: {unmatched.item_interactions:,}."
        )
    if unmatched.seen_interactions:
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

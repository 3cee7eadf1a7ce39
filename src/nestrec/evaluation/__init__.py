"""Evaluation: full ranking at every width in one pass, metrics, confidence intervals and significance tests."""

from nestrec.evaluation.evaluate import evaluate
from nestrec.evaluation.evaluation import Evaluation, WidthEvaluation
from nestrec.evaluation.full_ranking import evaluate_arrays
from nestrec.evaluation.held_out import Unmatched
from nestrec.evaluation.significance import Difference, bootstrap_intervals, paired_difference, paired_differences
from nestrec.item_similarities import ItemSimilarities

__all__ = [
    "Difference",
    "Evaluation",
    "ItemSimilarities",
    "Unmatched",
    "WidthEvaluation",
    "bootstrap_intervals",
    "evaluate",
    "evaluate_arrays",
    "paired_difference",
    "paired_differences",
]

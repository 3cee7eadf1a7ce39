"""Comparison of models at every width: equal tuning budgets, several seeds, paired significance tests."""

from nestrec.comparison.compare import compare
from nestrec.comparison.model_choice import select_models
from nestrec.comparison.result import Comparison
from nestrec.comparison.tuning import Tuning, tune

__all__ = ["Comparison", "Tuning", "compare", "select_models", "tune"]

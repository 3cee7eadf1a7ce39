"""Baselines: popularity, item neighbours, linear models and factorizations behind one protocol."""

from nestrec.baselines.baseline import Baseline, Choice, Kind, Model, Range
from nestrec.baselines.registry import BASELINES, baseline

__all__ = ["BASELINES", "Baseline", "Choice", "Kind", "Model", "Range", "baseline"]

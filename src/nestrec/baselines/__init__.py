"""What nestrec is compared with: popularity, neighbours, linear models, factorisations, all behind one protocol."""

from nestrec.baselines.baseline import Baseline, Choice, Kind, Model, Range
from nestrec.baselines.registry import BASELINES, baseline

__all__ = ["BASELINES", "Baseline", "Choice", "Kind", "Model", "Range", "baseline"]

"""Several models at every width, tuned on one budget, trained with several seeds and judged on the same test part."""

from nestrec.comparison.compare import compare
from nestrec.comparison.result import Comparison
from nestrec.comparison.select_models import chosen
from nestrec.comparison.tuning import Tuning, tune

__all__ = ["Comparison", "Tuning", "chosen", "compare", "tune"]

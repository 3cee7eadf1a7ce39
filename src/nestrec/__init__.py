"""nestrec: recommender embeddings that nest. Public names load on first use, so that importing it costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nestrec.comparison.compare import compare as compare
    from nestrec.comparison.tuning import tune as tune
    from nestrec.data.filters import k_core as k_core
    from nestrec.data.interactions import Interactions as Interactions
    from nestrec.data.read_options import ReadOptions as ReadOptions
    from nestrec.data.reading import read_interactions as read_interactions
    from nestrec.data.splitting import LeaveLastOut as LeaveLastOut
    from nestrec.data.splitting import RandomSplit as RandomSplit
    from nestrec.data.splitting import TimeSplit as TimeSplit
    from nestrec.data.vocabulary import Vocabulary as Vocabulary
    from nestrec.data.world import World as World
    from nestrec.embeddings import NestedEmbeddings as NestedEmbeddings
    from nestrec.errors import NestrecError as NestrecError
    from nestrec.evaluation.protocol import evaluate as evaluate
    from nestrec.planning.plan import plan as plan
    from nestrec.retrieval.ranking import Ranking as Ranking
    from nestrec.training.options import Run as Run
    from nestrec.training.samplers import DynamicSampler as DynamicSampler
    from nestrec.training.samplers import SoftmaxSampler as SoftmaxSampler
    from nestrec.training.samplers import UniformSampler as UniformSampler
    from nestrec.training.trainer import Trainer as Trainer
    from nestrec.widths import Widths as Widths

_HOMES = {
    "DynamicSampler": "nestrec.training.samplers",
    "Interactions": "nestrec.data.interactions",
    "LeaveLastOut": "nestrec.data.splitting",
    "NestedEmbeddings": "nestrec.embeddings",
    "NestrecError": "nestrec.errors",
    "RandomSplit": "nestrec.data.splitting",
    "Ranking": "nestrec.retrieval.ranking",
    "ReadOptions": "nestrec.data.read_options",
    "Run": "nestrec.training.options",
    "SoftmaxSampler": "nestrec.training.samplers",
    "TimeSplit": "nestrec.data.splitting",
    "Trainer": "nestrec.training.trainer",
    "UniformSampler": "nestrec.training.samplers",
    "Vocabulary": "nestrec.data.vocabulary",
    "Widths": "nestrec.widths",
    "World": "nestrec.data.world",
    "compare": "nestrec.comparison.compare",
    "evaluate": "nestrec.evaluation.protocol",
    "k_core": "nestrec.data.filters",
    "plan": "nestrec.planning.plan",
    "read_interactions": "nestrec.data.reading",
    "tune": "nestrec.comparison.tuning",
}

__all__ = [
    "DynamicSampler",
    "Interactions",
    "LeaveLastOut",
    "NestedEmbeddings",
    "NestrecError",
    "RandomSplit",
    "Ranking",
    "ReadOptions",
    "Run",
    "SoftmaxSampler",
    "TimeSplit",
    "Trainer",
    "UniformSampler",
    "Vocabulary",
    "Widths",
    "World",
    "compare",
    "evaluate",
    "k_core",
    "plan",
    "read_interactions",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("nestrec")
    if name not in _HOMES:
        raise AttributeError(f"module 'nestrec' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, "__version__"})

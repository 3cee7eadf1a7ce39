"""nestrec: recommender embeddings that nest. Public names load on first use, so that importing it costs nothing."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nestrec.autotune.autotune import plan as plan
    from nestrec.comparison.compare import compare as compare
    from nestrec.comparison.tuning import tune as tune
    from nestrec.data.filters import k_core as k_core
    from nestrec.data.interactions import Interactions as Interactions
    from nestrec.data.read_options import ReadOptions as ReadOptions
    from nestrec.data.reading import read_interactions as read_interactions
    from nestrec.data.splitting import LeaveLastOut as LeaveLastOut
    from nestrec.data.splitting import RandomSplit as RandomSplit
    from nestrec.data.splitting import TimeSplit as TimeSplit
    from nestrec.data.synthetic import SyntheticData as SyntheticData
    from nestrec.data.vocabulary import Vocabulary as Vocabulary
    from nestrec.embeddings import NestedEmbeddings as NestedEmbeddings
    from nestrec.errors import NestrecError as NestrecError
    from nestrec.evaluation.evaluate import evaluate as evaluate
    from nestrec.retrieval.ranking import Ranking as Ranking
    from nestrec.training.backbones import MF as MF
    from nestrec.training.backbones import LightGCN as LightGCN
    from nestrec.training.engines import TorchEngine as TorchEngine
    from nestrec.training.losses import BPR as BPR
    from nestrec.training.losses import BinaryCrossEntropy as BinaryCrossEntropy
    from nestrec.training.losses import DirectAU as DirectAU
    from nestrec.training.losses import SampledSoftmax as SampledSoftmax
    from nestrec.training.optimizers import Adagrad as Adagrad
    from nestrec.training.optimizers import Adam as Adam
    from nestrec.training.options import Run as Run
    from nestrec.training.samplers import AdaptiveSampler as AdaptiveSampler
    from nestrec.training.samplers import CurriculumSampler as CurriculumSampler
    from nestrec.training.samplers import DisentangledSampler as DisentangledSampler
    from nestrec.training.samplers import DynamicSampler as DynamicSampler
    from nestrec.training.samplers import MixedSampler as MixedSampler
    from nestrec.training.samplers import NoSampler as NoSampler
    from nestrec.training.samplers import PoolSampler as PoolSampler
    from nestrec.training.samplers import UniformSampler as UniformSampler
    from nestrec.training.trainer import Trainer as Trainer
    from nestrec.widths import Widths as Widths

_HOMES = {
    "Adagrad": "nestrec.training.optimizers",
    "Adam": "nestrec.training.optimizers",
    "AdaptiveSampler": "nestrec.training.samplers",
    "BPR": "nestrec.training.losses",
    "BinaryCrossEntropy": "nestrec.training.losses",
    "CurriculumSampler": "nestrec.training.samplers",
    "DirectAU": "nestrec.training.losses",
    "DisentangledSampler": "nestrec.training.samplers",
    "DynamicSampler": "nestrec.training.samplers",
    "Interactions": "nestrec.data.interactions",
    "LeaveLastOut": "nestrec.data.splitting",
    "LightGCN": "nestrec.training.backbones",
    "MF": "nestrec.training.backbones",
    "MixedSampler": "nestrec.training.samplers",
    "NestedEmbeddings": "nestrec.embeddings",
    "NestrecError": "nestrec.errors",
    "NoSampler": "nestrec.training.samplers",
    "PoolSampler": "nestrec.training.samplers",
    "RandomSplit": "nestrec.data.splitting",
    "Ranking": "nestrec.retrieval.ranking",
    "ReadOptions": "nestrec.data.read_options",
    "Run": "nestrec.training.options",
    "SampledSoftmax": "nestrec.training.losses",
    "TimeSplit": "nestrec.data.splitting",
    "TorchEngine": "nestrec.training.engines",
    "Trainer": "nestrec.training.trainer",
    "UniformSampler": "nestrec.training.samplers",
    "Vocabulary": "nestrec.data.vocabulary",
    "Widths": "nestrec.widths",
    "SyntheticData": "nestrec.data.synthetic",
    "compare": "nestrec.comparison.compare",
    "evaluate": "nestrec.evaluation.evaluate",
    "k_core": "nestrec.data.filters",
    "plan": "nestrec.autotune.autotune",
    "read_interactions": "nestrec.data.reading",
    "tune": "nestrec.comparison.tuning",
}

__all__ = [  # noqa: RUF022 - by plain order, in which the test looks
    "Adagrad",
    "Adam",
    "AdaptiveSampler",
    "BPR",
    "BinaryCrossEntropy",
    "CurriculumSampler",
    "DirectAU",
    "DisentangledSampler",
    "DynamicSampler",
    "Interactions",
    "LeaveLastOut",
    "LightGCN",
    "MF",
    "MixedSampler",
    "NestedEmbeddings",
    "NestrecError",
    "NoSampler",
    "PoolSampler",
    "RandomSplit",
    "Ranking",
    "ReadOptions",
    "Run",
    "SampledSoftmax",
    "SyntheticData",
    "TimeSplit",
    "TorchEngine",
    "Trainer",
    "UniformSampler",
    "Vocabulary",
    "Widths",
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

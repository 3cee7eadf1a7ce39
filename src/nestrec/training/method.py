"""Combine backbone, loss, sampler and engine: fill in what is missing and refuse combinations that cannot train."""

from __future__ import annotations

from nestrec.errors import OptionError
from nestrec.training.backbones import MF, Backbone
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import BPR, DirectAU, Loss, Negatives, PoolLoss, SampledSoftmax
from nestrec.training.registry import CPU_ENGINE
from nestrec.training.samplers import DynamicSampler, NoSampler, PoolSampler, Sampler, UniformSampler

_DEFAULTS: dict[Negatives, tuple[Loss, Sampler]] = {
    Negatives.POOL: (SampledSoftmax(), PoolSampler()),
    Negatives.ONE: (BPR(), DynamicSampler()),
    Negatives.NONE: (DirectAU(), NoSampler()),
}


def pair_loss_and_sampler(loss: Loss | None, sampler: Sampler | None) -> tuple[Loss, Sampler]:
    """Return both, the missing one chosen to fit the other; raise OptionError if they do not fit.

    >>> pair_loss_and_sampler(None, DynamicSampler(16))[0]
    BPR()
    """
    if loss is not None and sampler is not None and loss.takes is not sampler.gives:
        raise OptionError(
            f"loss and sampler must fit: {type(loss).__name__} needs {loss.takes.value}, got {type(sampler).__name__}, "
            f"which gives {sampler.gives.value}; leave one of them out to get one that fits"
        )
    negatives = loss.takes if loss is not None else sampler.gives if sampler is not None else Negatives.POOL
    if loss is not None and negatives is Negatives.POOL and not isinstance(loss, PoolLoss):
        raise OptionError(
            f"a loss over a pool must be a subclass of nestrec.training.losses.PoolLoss, got {type(loss).__name__}",
            option="loss",
        )
    default_loss, default_sampler = _DEFAULTS[negatives]
    return loss or default_loss, sampler or default_sampler


def choose_engine(
    engine: TorchEngine | str | None, backbone: Backbone, loss: Loss, sampler: Sampler, *, regularize_whole: bool
) -> TorchEngine | None:
    """Return the torch engine, None for the CPU engine: the given one, else the CPU engine if it can train this.

    Raises OptionError if the CPU engine was given and cannot.
    """
    fits = not regularize_whole and runs_on_cpu_engine(backbone, sampler, loss)
    if engine == CPU_ENGINE and not fits:
        raise OptionError(
            "the cpu engine trains backbone mf with loss softmax and sampler pool, or loss bpr and sampler dynamic or "
            f"uniform, with negatives per width; got {type(backbone).__name__}, {type(loss).__name__} and "
            f"{type(sampler).__name__} as given; use engine torch, or leave engine out",
            option="engine",
        )
    if isinstance(engine, TorchEngine):
        return engine
    return None if fits else TorchEngine()


def runs_on_cpu_engine(backbone: Backbone, sampler: Sampler, loss: Loss) -> bool:
    """Return whether the compiled kernels can train this combination."""
    if not isinstance(backbone, MF):
        return False
    if type(loss) is SampledSoftmax:
        return type(sampler) is PoolSampler
    if type(loss) is not BPR:
        return False
    if type(sampler) is DynamicSampler:
        return sampler.n_hardest == 1 and not sampler.shared
    return type(sampler) is UniformSampler and not sampler.shared

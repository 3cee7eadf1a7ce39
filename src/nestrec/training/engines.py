"""Training engines: the protocol of a running one, and the options of the torch engine.

The CPU engine (`cpu_engine.py`) is a compiled kernel that needs no torch. The torch engine (`autograd/`) trains the
same objective under autograd: on GPUs, over graphs, with the paper's exact settings and with losses of others.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, cast

from nestrec.arguments import check_count
from nestrec.errors import OptionError
from nestrec.extras import require
from nestrec.field_docs import show_field_docs
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.backbones import MF, Backbone
from nestrec.training.optimizers import Adagrad, Adam, Optimizer
from nestrec.training.registry import resolve

if TYPE_CHECKING:
    from nestrec.arrays import Float32Array
    from nestrec.data.interactions import Interactions
    from nestrec.training.objective import Objective


DEVICES = ("auto", "cpu", "cuda")
_STEPS_PER_EPOCH = 64
_SMALLEST_BATCH, _LARGEST_BATCH = 256, 65_536


class RunningEngine(Protocol):
    """Parameters in training and their updates."""

    objective: Objective

    @property
    def n_positives(self) -> int:
        """Positives in an epoch."""

    @property
    def slice_size(self) -> int:
        """Positives to train between two checks of the clock."""

    @property
    def user_embeddings(self) -> Float32Array:
        """(n_users, embedding_size); holds until the next step."""

    @property
    def item_embeddings(self) -> Float32Array:
        """(n_items, embedding_size); holds until the next step."""

    def use_levels(self, n: int) -> None:
        """Train the n narrowest levels from the next step on; dimensions of none of them keep their values."""

    def train(self, epoch: int, start: int, stop: int, learning_rate: float) -> tuple[float, int]:
        """Train on positions [start, stop) of the epoch's order; return the sum of losses and the positives trained."""

    def state(self) -> dict[str, Float32Array]:
        """Return parameters and optimizer state by name."""

    def restore(self, state: dict[str, Float32Array]) -> None:
        """Restore the result of `state`."""

    def release(self, *, vectors: bool) -> None:
        """Free memory after a phase."""


@show_field_docs
@dataclass(frozen=True)
class TorchEngine:
    """The torch engine with its options.

    >>> TorchEngine(device="cpu", batch_size=512).batch_size
    512
    """

    device: str = field(default="auto", metadata={"choices": DEVICES})
    """Device to train on; auto is a CUDA device, if there is one and the run is not deterministic."""
    optimizer: Optimizer | str | None = field(default=None, metadata={"kind": "optimizer"})
    """Optimizer of the parameters. None: adagrad; adam for lightgcn."""
    batch_size: int | None = None
    """Positives per step, a multiple of 64. None: a 64th of the interactions."""
    mixed_precision: bool = False
    """Score candidates in bfloat16; losses and optimizer steps stay in float32."""

    def __post_init__(self) -> None:
        """Check the values."""
        if self.optimizer is not None:
            object.__setattr__(self, "optimizer", resolve("optimizer", self.optimizer))
        if self.device not in DEVICES:
            raise OptionError(f"device must be one of {', '.join(DEVICES)}; got {self.device!r}", option="device")
        if self.batch_size is not None:
            check_count("batch_size", self.batch_size, 2**30, 2048)
            if self.batch_size % POOL_BLOCK:
                raise OptionError(
                    f"batch_size must be a multiple of {POOL_BLOCK}, got {self.batch_size} (for example 2048)",
                    option="batch_size",
                )

    def optimizer_for(self, backbone: Backbone) -> Optimizer:
        """Return the optimizer, by default one that suits the backbone."""
        if self.optimizer is not None:
            return cast("Optimizer", self.optimizer)  # a name became an object
        return Adagrad() if isinstance(backbone, MF) else Adam()

    def batch_size_for(self, interactions: Interactions) -> int:
        """Return the positives of a batch, by default so many that an epoch takes 64 steps."""
        if self.batch_size is not None:
            return self.batch_size
        steps = interactions.n_interactions / _STEPS_PER_EPOCH
        return min(_LARGEST_BATCH, max(_SMALLEST_BATCH, round(steps / POOL_BLOCK) * POOL_BLOCK))

    def describe(self, backbone: Backbone, interactions: Interactions) -> dict[str, Any]:
        """Return the resolved options by name, without the device, on which the model does not depend."""
        return {
            "engine": "torch",
            "optimizer": repr(self.optimizer_for(backbone)),
            "batch_size": self.batch_size_for(interactions),
            "mixed_precision": self.mixed_precision,
        }

    def check_device(self, *, deterministic: bool) -> str:
        """Return the name of the device; raise OptionError if there is none or it cannot be deterministic."""
        torch = _torch()
        has_cuda = torch.cuda.is_available()
        if self.device == "cuda" and not has_cuda:
            raise OptionError(
                "device must be available, got cuda, of which torch finds none; use cpu or auto", option="device"
            )
        if self.device == "cuda" and deterministic:
            raise OptionError("device must be cpu or auto in a deterministic run, got cuda", option="device")
        return "cuda" if has_cuda and self.device != "cpu" and not deterministic else "cpu"


ENGINES: dict[str, type] = {"torch": TorchEngine}


def _torch() -> Any:
    return require("torch", "torch", "the torch engine")

"""Steps on a CUDA device whose positions, random keys and learning rate are there too, replayed as a CUDA graph.

Launching the operations of a step takes a processor longer than a GPU needs for a small batch. A step that reads all
that changes from the device's memory can be captured once and replayed by one launch. The first full batches are
trained directly, as a warm-up on a stream of their own; then the step is captured, and replayed for every full batch.
The last, smaller batch of an epoch is trained directly. All ways run the same operations on the same numbers, so
results are equal to the bit where the operations are deterministic. Where a step cannot be captured, it is always
trained directly.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch

from nestrec.training.autograd.counter_rng import Draws, to_signed
from nestrec.training.autograd.fused_loss import FusedLoss, FusedPools
from nestrec.training.autograd.negatives import Moment
from nestrec.training.autograd.positives import Positives
from nestrec.training.losses import BPR, BinaryCrossEntropy, Loss
from nestrec.training.samplers import AdaptiveSampler, DynamicSampler, PoolSampler, Sampler, UniformSampler

_WARM_UPS = 2  # compile kernels and allocate the optimizer's state
_SAMPLERS = (PoolSampler, UniformSampler, DynamicSampler, AdaptiveSampler)  # no attribute changes between steps
_LOSSES = (BPR, BinaryCrossEntropy)

TakeStep = Callable[[Positives, Moment, torch.Tensor], torch.Tensor]


def can_repeat(fused_loss: FusedLoss | None, loss: Loss, sampler: Sampler) -> bool:
    """Return whether a step depends on nothing but the device's memory: others' classes may hold state of their own."""
    if fused_loss is None or type(sampler) not in _SAMPLERS:
        return False
    return isinstance(fused_loss, FusedPools) or type(loss) in _LOSSES


@dataclass(frozen=True)
class EpochKeys:
    """Random keys of an epoch, uint64."""

    epoch: int
    candidates: int


class DeviceSteps:
    """Trains batches of the epoch's order."""

    def __init__(
        self,
        take_step: TakeStep,  # (positives, moment, learning rate) -> mean loss of the batch, ()
        discard: Callable[[], None],  # called when a capture failed: what was allocated in it has no values
        positives: Positives,
        batch_size: int,
    ) -> None:
        """Allocate what a captured step reads and writes."""
        device = positives.users.device
        self._take_step, self._positives, self._batch_size = take_step, positives, batch_size
        self._order = torch.empty_like(positives.users)
        self._epoch: int | None = None  # of the order
        self._lanes = torch.arange(batch_size, device=device)
        self._position, self._epoch_key, self._key = torch.zeros((3,), dtype=torch.int64, device=device)
        self._rate = torch.zeros((), dtype=torch.float64, device=device)
        self._total = torch.zeros_like(self._rate)
        self.full_batch = Repeated(lambda: self._train(batch_size), discard, device)

    def train(
        self, order: Callable[[], torch.Tensor], epoch: int, keys: EpochKeys, start: int, stop: int, rate: float
    ) -> torch.Tensor:
        """Train on positions [start, stop) of the order; return the sum of losses, () float64."""
        if self._epoch != epoch:
            self._order.copy_(order())
            self._epoch = epoch
        self._position.fill_(start)
        self._epoch_key.fill_(to_signed(keys.epoch))
        self._key.fill_(to_signed(keys.candidates))
        self._rate.fill_(rate)
        self._total.zero_()
        for first in range(start, stop, self._batch_size):
            if stop - first < self._batch_size:
                self._train(stop - first)
            else:
                self.full_batch()
        return self._total

    def forget(self) -> None:
        """Discard the captured step, whose memory has been replaced."""
        self.full_batch.forget()

    def release(self) -> None:
        """Free the captured step, and what its function refers to, without waiting for the garbage collector."""
        del self.full_batch

    def _train(self, n: int) -> None:
        rows = self._order[self._lanes[:n] + self._position]
        draws = Draws(self._epoch_key, self._position, rows.device)
        moment = Moment(0, self._key, self._position, draws)  # no sampler among `_SAMPLERS` uses the epoch
        loss = self._take_step(self._positives.at(rows), moment, self._rate)
        self._total += n * loss
        self._position += n


@dataclass
class Repeated:
    """A function without arguments that is called directly at first, then captured and replayed."""

    function: Callable[[], None]
    discard: Callable[[], None]
    device: torch.device
    _n_calls: int = field(default=0, init=False)
    _graph: torch.cuda.CUDAGraph | None = field(default=None, init=False)
    _failure: str = field(default="", init=False)

    def __call__(self) -> None:
        """Call or replay it."""
        if self._graph is not None:
            self._graph.replay()
        elif self.device.type != "cuda" or self._failure:
            self.function()
        elif self._n_calls < _WARM_UPS:
            self._n_calls += 1
            self._warm_up()
        else:
            self._capture()
            self()

    @property
    def state(self) -> str:
        """How it is called: "captured", "direct", or why it cannot be captured."""
        return "captured" if self._graph is not None else self._failure or "direct"

    def forget(self) -> None:
        """Discard the graph; the next calls capture another."""
        self._graph, self._n_calls = None, 0

    def _warm_up(self) -> None:
        stream = torch.cuda.Stream(self.device)  # type: ignore[no-untyped-call]
        current = torch.cuda.current_stream(self.device)
        stream.wait_stream(current)
        with torch.cuda.stream(stream):
            self.function()
        current.wait_stream(stream)

    def _capture(self) -> None:
        """Capture without executing; if that fails, all later calls are direct."""
        current, graph = torch.cuda.current_stream(self.device), torch.cuda.CUDAGraph()
        try:
            with torch.cuda.graph(graph):
                self.function()
            self._graph = graph
        except RuntimeError as error:
            torch.cuda.set_stream(current)
            self._failure = f"not captured: {error}"
            self.discard()

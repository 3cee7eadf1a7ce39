"""Steps whose positions, keys and learning rate are on the device, and functions that are captured once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from nestrec.training.losses import BPR, SampledSoftmax
from nestrec.training.samplers import CurriculumSampler, DynamicSampler, MixedSampler, PoolSampler, Sampler
from tests.training.worlds import tiny

torch = pytest.importorskip("torch")

from nestrec.training.autograd.counter_rng import Draws, derive_key, on_device, random_bits  # noqa: E402
from nestrec.training.autograd.device_steps import DeviceSteps, EpochKeys, Repeated, can_repeat  # noqa: E402
from nestrec.training.autograd.fused_loss import FusedPairs  # noqa: E402
from nestrec.training.autograd.level_tensors import LevelTensors  # noqa: E402
from nestrec.training.autograd.negatives import Moment  # noqa: E402
from tests.training.autograd.engines import CPU, started, torch_trainer  # noqa: E402

KEYS = [0, 7, 2**63 - 1, 2**63 + 5, 2**64 - 1]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_on_the_device_gives_the_bits_of_the_same_number(key: int) -> None:
    held = on_device(key, CPU)
    assert held.dtype == torch.int64
    assert torch.equal(random_bits(held, torch.arange(9)), random_bits(key, torch.arange(9)))
    for number in (0, 1, 2**32, 2**32 + 1):
        assert int(derive_key(held, number)) % 2**64 == derive_key(key, number)


@pytest.mark.parametrize("key", KEYS)
def test_draws_at_a_position_on_the_device_are_those_at_the_same_number(key: int) -> None:
    numbers, held = Draws(key, 4096, CPU), Draws(on_device(key, CPU), torch.tensor(4096), CPU)
    for _ in range(2):
        assert torch.equal(held.uniform(5, 3), numbers.uniform(5, 3))
        assert torch.equal(held.below(11, 5), numbers.below(11, 5))


@pytest.mark.parametrize("options", [{}, {"sampler": DynamicSampler(4, n_hardest=2)}], ids=["softmax", "pairs"])
def test_steps_are_those_of_numbers_on_the_host(options: dict[str, Any]) -> None:
    """Plain torch on a CPU, two slices of an epoch and another epoch: equal bits, the last batch smaller."""
    host, device = (started(torch_trainer(64, **options), tiny()) for _ in range(2))
    steps = DeviceSteps(device._step, device._batches.update_all, device._positives, 64)
    n, losses = host.n_positives, []
    for epoch, start, stop in ((0, 0, 128), (0, 128, n), (1, 0, n)):
        moment = host._moment(epoch, 0)
        keys = EpochKeys(host._key(epoch), int(moment.key))
        total = steps.train(lambda of=epoch: device._order_of(of), epoch, keys, start, stop, 0.1)  # type: ignore[misc]
        losses.append((float(total), host.train(epoch, start, stop, 0.1)[0]))
    assert all(one == other for one, other in losses)
    assert torch.equal(device._table, host._table)


@dataclass(frozen=True)
class Own(DynamicSampler):
    """Somebody's own."""


@pytest.mark.parametrize(
    ("sampler", "expected"),
    [
        (DynamicSampler(4), True),
        (CurriculumSampler(4), False),  # the epoch changes what it does
        (MixedSampler(4), False),
        (Own(4), False),
    ],
    ids=repr,
)
def test_only_steps_that_depend_on_the_device_alone_are_repeated(sampler: Sampler, expected: bool) -> None:
    objective = torch_trainer(sampler=sampler, loss=BPR()).resolve(tiny()).objective
    fused_loss = FusedPairs(LevelTensors(objective, CPU), BPR(), regularizes_whole=False)
    assert can_repeat(fused_loss, BPR(), sampler) == expected
    assert not can_repeat(None, SampledSoftmax(), PoolSampler())


def test_a_function_is_called_directly_on_a_cpu() -> None:
    calls: list[int] = []
    repeated = Repeated(lambda: calls.append(1), lambda: None, CPU)
    for _ in range(5):
        repeated()
    repeated.forget()
    repeated()
    assert repeated.state == "direct"
    assert len(calls) == 6


class BrokenGraph:
    """A capture that fails after the function has run, as torch's does on an operation that waits for the device."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")


def test_a_function_that_cannot_be_captured_is_called_directly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two warm-ups, a failed capture, and from then on a direct call each."""
    calls: list[str] = []
    repeated = Repeated(lambda: calls.append("call"), lambda: calls.append("discard"), torch.device("cuda"))
    monkeypatch.setattr(Repeated, "_warm_up", lambda self: self.function())
    monkeypatch.setattr(torch.cuda, "CUDAGraph", object)
    monkeypatch.setattr(torch.cuda, "graph", lambda _graph: BrokenGraph())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda _device: "current")
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: calls.append(stream))
    for _ in range(4):
        repeated()
    assert "not permitted" in repeated.state
    assert calls == ["call", "call", "call", "current", "discard", "call", "call"]


def test_the_moment_of_a_step_needs_no_epoch() -> None:
    """No sampler that is repeated reads it."""
    engine = started(torch_trainer(64, sampler=DynamicSampler(4)), tiny())
    positives = engine._positives.at(torch.arange(64))
    batches = []
    for epoch in (0, 3):
        moment = engine._moment(0, 0)
        again = Moment(epoch, moment.key, moment.first, moment.draws)
        batch = engine._batches.batch(positives, engine._table[None], again)
        assert batch.negatives is not None
        batches.append(batch.negatives.numpy())
    np.testing.assert_array_equal(batches[0], batches[1])

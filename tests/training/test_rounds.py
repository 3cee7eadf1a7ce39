"""Deterministic training of the softmax: the same bits on any number of threads, whenever they start."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nestrec import Run, Trainer
from nestrec.data.interactions import Interactions
from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training import cpu_engine as engine_module
from nestrec.training import rounds as rounds_module
from nestrec.training.callbacks import Callback
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.losses import BPR
from nestrec.training.objective import Objective
from nestrec.training.rounds import round_blocks
from nestrec.training.samplers import DynamicSampler
from scaling_data import generate_interactions
from tests.training.test_cpu_engine import objective
from tests.training.worlds import Recorder

N_BLOCKS = 5  # of a round in these tests


@pytest.fixture
def data() -> Interactions:
    return generate_interactions(300, 250, 64 * 83 + 17, seed=3)


def engine(data: Interactions, threads: int, *, deterministic: bool = True, of: Objective | None = None) -> CpuEngine:
    given = objective(0.5) if of is None else of
    return CpuEngine(
        data.indptr, data.indices, data.n_items, given, seed=4, threads=threads, deterministic=deterministic
    )


def train(trained: CpuEngine, epochs: int = 2) -> tuple[dict[str, np.ndarray[Any, Any]], list[tuple[float, int]]]:
    n, size, found = trained.n_positives, trained.slice_size, []
    for epoch in range(epochs):
        found += [trained.train(epoch, start, min(start + size, n), 0.1) for start in range(0, n, size)]
    return {name: array.copy() for name, array in trained.state().items()}, found


def assert_same(one: Any, other: Any) -> None:
    assert one[1] == other[1]
    for name, array in one[0].items():
        np.testing.assert_array_equal(array, other[0][name], err_msg=name)


@pytest.mark.parametrize("threads", [2, 3, 7])
def test_any_number_of_threads_gives_the_same_bits(data: Interactions, threads: int) -> None:
    """Vectors, sums of squares and losses; more threads than processors and than blocks, too."""
    one = engine(data, 1)
    assert one._rounds is not None
    assert one._rounds.n_blocks == N_BLOCKS
    assert_same(train(one), train(engine(data, threads)))


def test_rounds_of_one_block_are_the_racing_kernel_on_one_thread(
    data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rounds_module, "_BLOCKS", 1)
    in_rounds, losses = train(engine(data, 3))
    expected, expected_losses = train(engine(data, 1, deterministic=False))
    np.testing.assert_allclose(losses, expected_losses, rtol=1e-6)
    for name, array in expected.items():
        np.testing.assert_allclose(in_rounds[name], array, rtol=1e-5, atol=1e-6, err_msg=name)


def test_rounds_train_every_positive_once_and_learn_the_same(data: Interactions) -> None:
    """The losses are those of the racing kernel, nearly: gradients are some blocks old."""
    _, losses = train(engine(data, 2), epochs=3)
    _, expected = train(engine(data, 1, deterministic=False), epochs=3)
    assert [n for _, n in losses] == [data.n_interactions] * 3
    for (loss, _), (other, _) in zip(losses, expected, strict=True):
        assert loss == pytest.approx(other, rel=0.02)


def test_a_thread_that_starts_late_or_never_is_not_waited_for(
    data: Interactions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of three threads never runs, another starts when the rest is done: the bits are the same."""
    expected = train(engine(data, 1))

    def one_after_the_other(work: Any, pieces: Any, _threads: int) -> None:
        first, _, last = pieces
        late = threading.Thread(target=lambda: work(first))
        work(last)
        late.start()
        late.join()

    monkeypatch.setattr(rounds_module, "map_in_threads", one_after_the_other)
    assert_same(expected, train(engine(data, 3)))


def test_rounds_do_not_depend_on_where_slices_end(data: Interactions, monkeypatch: pytest.MonkeyPatch) -> None:
    """A slice is whole rounds, so that checkpoints fall between rounds."""
    expected, losses = train(engine(data, 2))
    monkeypatch.setattr(engine_module, "_SLICE", POOL_BLOCK * 12)
    cut = engine(data, 2)
    assert cut.slice_size == POOL_BLOCK * 10
    found, cut_losses = train(cut)
    assert sum(loss for loss, _ in cut_losses) == pytest.approx(sum(loss for loss, _ in losses))
    for name, array in expected.items():
        np.testing.assert_array_equal(array, found[name], err_msg=name)


@pytest.mark.parametrize(
    ("n_positives", "slice_blocks", "blocks"),
    [(10, 1000, 1), (1600, 1000, 1), (80_000, 1000, 16), (10**9, 1000, 16), (10**9, 3, 3), (5000, 1000, 4)],
)
def test_a_round_is_a_sixteenth_of_an_epoch_at_most(n_positives: int, slice_blocks: int, blocks: int) -> None:
    assert round_blocks(n_positives, slice_blocks) == blocks


def test_pairs_train_on_one_thread(data: Interactions) -> None:
    trainer = Trainer(widths=(2, 4), epochs=1, loss=BPR(), sampler=DynamicSampler(8))
    running = trainer.resolve(data).start_engine(Run(threads=3, deterministic=True))
    assert isinstance(running, CpuEngine)
    assert running.threads == 1
    models = [trainer.fit(data, run=Run(threads=n, deterministic=True)) for n in (1, 3)]
    np.testing.assert_array_equal(models[0].item_embeddings, models[1].item_embeddings)


class StopInSlice(Callback):
    """Raises in the second slice of an epoch."""

    def __init__(self) -> None:
        self.n_slices = 0

    def on_progress(self, n_positives: int) -> None:
        self.n_slices += 1
        if self.n_slices == 12:
            raise KeyboardInterrupt


def test_a_run_resumed_within_an_epoch_on_other_threads_gives_the_same_bits(
    data: Interactions, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setattr(engine_module, "_SLICE", POOL_BLOCK * 20)
    trainer = Trainer(widths=(2, 4), epochs=4, rotate=False)
    whole = trainer.fit(data, validation=None, run=Run(threads=3, deterministic=True))
    run = Run(threads=2, deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0)
    with pytest.raises(KeyboardInterrupt):
        trainer.fit(data, validation=None, run=replace(run, callbacks=StopInSlice()))
    recorder = Recorder()
    resumed = trainer.fit(data, validation=None, run=replace(run, threads=1, resume=True, callbacks=recorder))
    assert recorder.starts[0].position % data.n_interactions > 0
    np.testing.assert_array_equal(whole.user_embeddings, resumed.user_embeddings)
    np.testing.assert_array_equal(whole.item_embeddings, resumed.item_embeddings)

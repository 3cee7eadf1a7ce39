"""Which loss goes with which sampler and engine, the paper's setting, and sentences of what does not fit."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.errors import MissingExtraError, OptionError, TrainingError
from nestrec.training.backbones import MF, LightGCN
from nestrec.training.data_defaults import SOFTMAX
from nestrec.training.engines import TorchEngine
from nestrec.training.losses import (
    BPR,
    BinaryCrossEntropy,
    DirectAU,
    Loss,
    Negatives,
    SampledSoftmax,
    Scored,
    SummedLoss,
)
from nestrec.training.method import runs_on_cpu_engine
from nestrec.training.objective import starting_values
from nestrec.training.optimizers import Adagrad, Adam
from nestrec.training.options import Run
from nestrec.training.samplers import (
    AdaptiveSampler,
    DisentangledSampler,
    DynamicSampler,
    MixedSampler,
    NoSampler,
    PoolSampler,
    Sampler,
    UniformSampler,
)
from nestrec.training.trainer import Trainer
from tests.training.worlds import Recorder, from_sets, is_same, tiny


@pytest.mark.parametrize(
    ("given", "loss", "sampler"),
    [
        ({}, SampledSoftmax(), PoolSampler()),
        ({"loss": BPR()}, BPR(), DynamicSampler()),
        ({"loss": BinaryCrossEntropy()}, BinaryCrossEntropy(), DynamicSampler()),
        ({"loss": SampledSoftmax(coupling=0)}, SampledSoftmax(coupling=0), PoolSampler()),
        ({"loss": DirectAU(gamma=2)}, DirectAU(gamma=2), NoSampler()),
        ({"sampler": MixedSampler()}, BPR(), MixedSampler()),
        ({"sampler": PoolSampler(128)}, SampledSoftmax(), PoolSampler(128)),
        ({"sampler": NoSampler()}, DirectAU(), NoSampler()),
        ({"loss": BinaryCrossEntropy(), "sampler": UniformSampler()}, BinaryCrossEntropy(), UniformSampler()),
    ],
)
def test_the_one_that_is_left_out_goes_with_the_other(given: dict[str, Any], loss: Loss, sampler: Sampler) -> None:
    trainer = Trainer(**given)
    assert (trainer.loss, trainer.sampler) == (loss, sampler)


@dataclass(frozen=True)
class OfPools(SummedLoss):
    """Takes a pool, and is not a PoolLoss."""

    takes = Negatives.POOL
    data_defaults = SOFTMAX

    def __call__(self, scored: Scored) -> Any:
        return scored.negatives.mean(dim=-1)


@pytest.mark.parametrize(
    ("loss", "sampler", "sentence"),
    [
        (BPR(), PoolSampler(), "BPR needs one item per level, got PoolSampler, which gives a whole pool; leave"),
        (
            SampledSoftmax(),
            DynamicSampler(),
            "SampledSoftmax needs a whole pool, got DynamicSampler, which gives one item per",
        ),
        (
            DirectAU(),
            UniformSampler(),
            "DirectAU needs none, got UniformSampler, which gives one item per level",
        ),
        (BPR(), NoSampler(), "got NoSampler, which gives none; leave one of them out"),
        (OfPools(), PoolSampler(), "must be a subclass of .*PoolLoss, got OfPools"),
    ],
)
def test_a_loss_and_a_sampler_that_do_not_fit_say_so(loss: Loss, sampler: Sampler, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Trainer(loss=loss, sampler=sampler)


@pytest.mark.parametrize(
    ("given", "on_cpu_engine"),
    [
        ({}, True),
        ({"loss": SampledSoftmax(temperature=0.2, coupling=1)}, True),
        ({"loss": BPR()}, True),
        ({"sampler": UniformSampler()}, True),
        ({"sampler": DynamicSampler(16)}, True),
        ({"sampler": DynamicSampler(16, n_hardest=2)}, False),
        ({"sampler": DynamicSampler(16, shared=True)}, False),
        ({"sampler": UniformSampler(shared=True)}, False),
        ({"sampler": AdaptiveSampler()}, False),
        ({"sampler": MixedSampler()}, False),
        ({"sampler": DisentangledSampler()}, False),
        ({"loss": BinaryCrossEntropy()}, False),
        ({"loss": DirectAU()}, False),
        ({"backbone": LightGCN()}, False),
        ({"regularize_whole": True}, False),
    ],
)
def test_the_cpu_engine_trains_exactly_what_it_can(given: dict[str, Any], on_cpu_engine: bool) -> None:
    trainer = Trainer(**given)
    assert (trainer.engine is None) is on_cpu_engine
    assert trainer.engine in (None, TorchEngine())


def test_a_subclass_of_what_the_cpu_engine_knows_is_not_mistaken_for_it() -> None:
    """It may compute something else."""

    class Other(BPR):
        """A loss of a user's own."""

    assert runs_on_cpu_engine(MF(), DynamicSampler(), BPR())
    assert not runs_on_cpu_engine(MF(), DynamicSampler(), Other())


def test_the_learning_rate_is_that_of_the_optimiser_and_on_the_cpu_engine_of_the_loss() -> None:
    assert Trainer(loss="bpr").resolve(tiny()).schedule.learning_rate == 0.2
    for engine, backbone, rate in (
        (None, MF(), 0.3),
        (TorchEngine(), MF(), 0.2),
        (TorchEngine(optimizer=Adam()), MF(), 0.015),
        (None, LightGCN(), 0.015),
        (TorchEngine(optimizer=Adagrad()), LightGCN(), 0.2),
    ):
        schedule = Trainer(engine=engine, backbone=backbone).resolve(tiny()).schedule
        assert schedule.learning_rate == rate
        assert schedule.final_learning_rate == pytest.approx(rate / 10)


def test_graphs_take_the_fewest_epochs_at_any_density() -> None:
    """Their steps move all vectors, also those of users with few interactions."""
    sparse = from_sets([[user % 30, (user + 1) % 30] for user in range(60)], n_items=30)
    for sampler, of_mf, of_graph in ((PoolSampler(), 40, 20), (DynamicSampler(8), 120, 50)):
        assert Trainer(sampler=sampler).resolve(sparse).schedule.epochs == of_mf
        assert Trainer(sampler=sampler, backbone=LightGCN()).resolve(sparse).schedule.epochs == of_graph


def test_the_papers_setting() -> None:
    """Lai et al. 2024 and its program: a constant rate of 1e-3, dense Adam, batches of 2048, equal levels, 1e-4."""
    trainer = Trainer.paper()
    objective, schedule = trainer.resolve(tiny()).objective, trainer.resolve(tiny()).schedule
    assert trainer.engine == TorchEngine(optimizer=Adam(sparse=False), batch_size=2048)
    assert (trainer.backbone, trainer.loss, trainer.sampler) == (MF(), BPR(), DynamicSampler(16))
    assert objective.widths.values == (4, 8, 16, 32, 64)
    assert objective.level_weights == pytest.approx((0.2,) * 5)
    assert (objective.regularization, objective.regularize_whole, objective.n_candidates) == ((1e-4,) * 5, True, 16)
    assert {schedule.rate(epoch) for epoch in (0, 150, 299)} == {1e-3}
    assert (schedule.epochs, trainer.rotate, trainer.metric) == (300, False, "recall@20")


def test_the_paper_starts_from_xaviers_values() -> None:
    """Uniform in +-sqrt(6 / (rows + columns)), users and items each by their own number of rows."""
    objective = Trainer.paper().resolve(tiny()).objective
    for side, n_rows in enumerate((500, 2000)):
        bound = math.sqrt(6 / (n_rows + 64))
        values = starting_values(objective, n_rows, 64, 3, side)
        assert np.abs(values).max() == pytest.approx(bound, rel=1e-3)
        assert values.std() == pytest.approx(bound / math.sqrt(3), rel=0.02)


def test_the_papers_setting_is_changed_by_name() -> None:
    trainer = Trainer.paper(widths=(8, 16), epochs=7, learning_rate=0.01, sampler=MixedSampler(8))
    assert trainer.resolve(tiny()).objective.level_weights == pytest.approx((0.5, 0.5))
    schedule = trainer.resolve(tiny()).schedule
    assert (schedule.epochs, schedule.rate(0), schedule.rate(6)) == (7, 0.01, 0.01)
    assert trainer.sampler == MixedSampler(8)
    assert Trainer.paper(final_learning_rate=1e-4).resolve(tiny()).schedule.final_learning_rate == 1e-4


def test_the_papers_setting_trains() -> None:
    pytest.importorskip("torch")
    recorder = Recorder()
    model = Trainer.paper(widths=(4, 8), epochs=6).fit(tiny(), run=Run(deterministic=True, callbacks=recorder))
    assert recorder.reports[4].loss < recorder.reports[0].loss
    assert model.widths.values == (4, 8)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"device": "tpu"}, "device must be one of auto, cpu, cuda; got 'tpu'"),
        ({"batch_size": 100}, "batch_size must be a multiple of 64, got 100"),
        ({"batch_size": 0}, "batch_size must be between 1 and"),
        ({"batch_size": 64.5}, "batch_size must be an integer, got 64.5"),
    ],
)
def test_a_wrong_engine_says_why(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        TorchEngine(**options)


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        (lambda: LightGCN(n_layers=0), "n_layers must be between 1 and 16, got 0"),
        (lambda: LightGCN(edge_dropout=1.0), "edge_dropout must be at least 0 and below 1, got 1.0"),
        (lambda: LightGCN(edge_dropout=float("nan")), "edge_dropout must be .*, got nan"),
        (lambda: DirectAU(gamma=-1), "gamma must be between 0 and 1000, got -1"),
        (lambda: SampledSoftmax(temperature=0.0), "temperature must be between 0.001 and 1000, got 0.0"),
    ],
)
def test_a_wrong_part_says_why(wrong: Any, sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        wrong()


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'the torch engine needs torch.*pip install "nestrec\[torch\]"'):
        Trainer(engine=TorchEngine()).fit(tiny())
    with pytest.raises(MissingExtraError, match="the torch engine needs torch"):
        Trainer(backbone=LightGCN()).fit(tiny(), validation=None)


def test_the_defaults_train_without_torch() -> None:
    """And no value asks for it before a run does."""
    code = (
        "import sys; sys.modules['torch'] = None; import nestrec; "
        "from nestrec.training.trainer import Trainer; from nestrec.training.backbones import LightGCN; "
        "Trainer(backbone=LightGCN()); Trainer.paper(); "
        "data = nestrec.SyntheticData(n_users=50, n_items=40, interactions_per_user=8).generate(seed=1).interactions; "
        "print(Trainer(widths=(2,), epochs=1).fit(data, validation=None).manifest['training']['engine'])"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told == "cpu\n"


def test_devices_that_cannot_do_it_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_cuda = Trainer(engine=TorchEngine("cuda"))
    with pytest.raises(OptionError, match=r"device must be available, got cuda.* use cpu or auto"):
        on_cuda.fit(tiny())
    assert TorchEngine("auto").check_device(deterministic=False) == "cpu"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(OptionError, match="device must be cpu or auto in a deterministic run, got cuda"):
        on_cuda.fit(tiny(), run=Run(deterministic=True))
    assert TorchEngine("auto").check_device(deterministic=False) == "cuda"
    assert TorchEngine("auto").check_device(deterministic=True) == "cpu"
    assert TorchEngine("cpu").check_device(deterministic=False) == "cpu"


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_not_a_number_ends_training(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, loss: float
) -> None:
    """The sentence names the epoch, the option and where the last good state is, from which the run goes on."""
    pytest.importorskip("torch")
    from nestrec.training.autograd.autograd_engine import AutogradEngine

    trainer = Trainer(
        widths=(3, 8), epochs=4, sampler=DynamicSampler(8), engine=TorchEngine("cpu", Adam()), learning_rate=0.02
    )
    run = Run(deterministic=True, checkpoint=tmp_path / "state", checkpoint_seconds=0.0)
    train, calls = AutogradEngine.train, [0]

    def spoilt(engine: AutogradEngine, *position: Any) -> tuple[float, int]:
        calls[0] += 1
        summed, n = train(engine, *position)
        return (loss if calls[0] == 3 else summed), n

    with monkeypatch.context() as patch:
        patch.setattr(AutogradEngine, "train", spoilt)
        sentence = (
            rf"the loss must be finite, got {loss} in epoch 3; lower learning_rate \(it was 0.008\) or starting_scale; "
            f"the last good state is in {re.escape(str(tmp_path / 'state'))}"
        )
        with pytest.raises(TrainingError, match=sentence):
            trainer.fit(tiny(), run=run)
    resumed = trainer.fit(tiny(), run=replace(run, resume=True))
    assert is_same(resumed, trainer.fit(tiny(), run=Run(deterministic=True)))


def test_vectors_that_diverge_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(
        "nestrec.training.autograd.autograd_engine.starting_values", lambda *given: 1e30 + starting_values(*given)
    )
    with pytest.raises(TrainingError, match=r"the loss must be finite, got (inf|nan) in epoch 1; lower learning_rate"):
        Trainer(sampler=MixedSampler(8)).fit(tiny(), run=Run(deterministic=True))


def test_a_checkpoint_of_another_setting_is_refused(tmp_path: Path) -> None:
    """Backbone, loss, sampler, optimiser and batches are what a run is."""
    pytest.importorskip("torch")
    from tests.training.worlds import Interfering

    run = Run(deterministic=True, checkpoint=tmp_path / "state", return_on_interrupt=True)
    engine = TorchEngine("cpu", Adam(), 192)
    trainer = Trainer(widths=(3, 8), epochs=3, sampler=DynamicSampler(8), engine=engine)
    trainer.fit(tiny(), run=replace(run, callbacks=Interfering(after_epoch=("search", 1))))
    for changed in (
        replace(trainer, backbone=LightGCN(2)),
        replace(trainer, loss=BinaryCrossEntropy()),
        replace(trainer, sampler=DynamicSampler(8, n_hardest=2)),
        replace(trainer, engine=replace(engine, optimizer=Adam(sparse=True))),
        replace(trainer, engine=replace(engine, batch_size=320)),
        replace(trainer, engine=replace(engine, mixed_precision=True)),
        replace(trainer, regularize_whole=True),
    ):
        with pytest.raises(TrainingError, match=r"was made with .*, got"):
            changed.fit(tiny(), run=replace(run, resume=True))

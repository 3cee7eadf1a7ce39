"""LightGCN as a baseline: better than popularity, reproducible, epochs chosen by validation, errors."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from nestrec import NestedEmbeddings, RandomSplit, Run, Widths, evaluate
from nestrec.baselines import BASELINES, baseline
from nestrec.baselines.baseline import Choice
from nestrec.baselines.lightgcn import LightGCNBaseline
from nestrec.baselines.popularity import Popularity
from nestrec.errors import DataError, MissingExtraError, OptionError, TrainingError
from nestrec.training.objective import starting_values
from nestrec.training.phase import AS_GOOD
from tests.training.worlds import Recorder, from_sets, is_same, tiny, world

torch = pytest.importorskip("torch")


@cache
def fitted(seed: int = 3, epochs: int | None = 4) -> NestedEmbeddings:
    return LightGCNBaseline(epochs=epochs).fit(tiny(), Widths([6]), Run(seed=seed, deterministic=True))


def test_it_is_better_than_popularity() -> None:
    """Users have tastes, which popularity does not model."""
    train, held_out = RandomSplit(0.2).split(world().interactions)
    run = Run(seed=1, threads=1)
    learned = LightGCNBaseline(epochs=40).fit(train, Widths([16]), run)
    popular = Popularity().fit(train, Widths([16]), run)
    ndcg, of_popular = (
        evaluate(model, held_out, bootstrap_samples=0).widths[0].means["ndcg@20"] for model in (learned, popular)
    )
    assert ndcg > 1.5 * of_popular


def test_the_same_seed_gives_the_same_bits() -> None:
    again = LightGCNBaseline(epochs=4).fit(tiny(), Widths([6]), Run(seed=3, deterministic=True))
    assert is_same(fitted(), again)
    assert not is_same(fitted(), fitted(seed=4))


def test_the_epoch_is_chosen_on_a_part_and_then_everything_is_trained() -> None:
    heard = Recorder()
    model = LightGCNBaseline().fit(tiny(), Widths([6]), Run(seed=3, deterministic=True, callbacks=heard))
    search, final = heard.starts
    assert heard.phases == ["search", "final"]
    assert search.n_positives < final.n_positives == tiny().n_interactions
    looks = [report for report in heard.reports if report.value is not None]
    highest = max(report.value or 0.0 for report in looks)
    good = [report.epoch for report in looks if (report.value or 0.0) >= AS_GOOD * highest]
    assert final.epochs == model.manifest["baseline"]["epochs"]
    assert final.epochs in good, "an epoch within a hundredth of the best"
    assert heard.reports[-1].epoch == final.epochs
    assert is_same(model, fitted(epochs=final.epochs))


def test_progress_counts_every_positive() -> None:
    heard = Recorder()
    LightGCNBaseline(epochs=3, batch_size=704).fit(tiny(), Widths([6]), Run(threads=1, callbacks=heard))
    assert sum(heard.n_advanced) == 3 * tiny().n_interactions
    assert [report.epoch for report in heard.reports] == [1, 2, 3]


def test_the_model_is_saved_and_read_without_torch(tmp_path: Path) -> None:
    fitted().save(tmp_path / "model")
    code = (
        "import sys; sys.modules['torch'] = None; import nestrec; "
        f"print(nestrec.NestedEmbeddings.load({str(tmp_path / 'model')!r}).recommend('u001', k=3).ids.shape)"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert told == "(3,)\n"


def test_torch_is_not_loaded_before_it_is_needed() -> None:
    code = (
        "import sys, nestrec; from nestrec.baselines import baseline; nestrec.Trainer; baseline('lightgcn'); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_torch_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError, match=r'the torch engine needs torch.*pip install "nestrec\[torch\]"'):
        LightGCNBaseline().fit(tiny(), Widths([6]), Run())


def test_a_diverging_run_names_the_epoch_and_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adam's steps are bounded, so only numbers that begin beyond all measure get there soon."""
    monkeypatch.setattr(
        "nestrec.training.autograd.autograd_engine.starting_values", lambda *given: 1e30 + starting_values(*given)
    )
    with pytest.raises(TrainingError, match=r"got (inf|nan) in epoch 1; lower learning_rate \(it was 0.005\)"):
        LightGCNBaseline(epochs=3).fit(tiny(), Widths([6]), Run(threads=1))


def test_devices_that_cannot_do_it_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(OptionError, match="device must be available, got cuda"):
        LightGCNBaseline(device="cuda").fit(tiny(), Widths([6]), Run())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(OptionError, match=r"device must be cpu or auto .* got cuda"):
        LightGCNBaseline(device="cuda").fit(tiny(), Widths([6]), Run(deterministic=True))


def test_a_deterministic_run_leaves_cuda_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert is_same(
        fitted(), LightGCNBaseline(epochs=4, device="auto").fit(tiny(), Widths([6]), Run(3, deterministic=True))
    )


def test_a_checkpoint_and_several_widths_are_refused() -> None:
    with pytest.raises(OptionError, match="checkpoint must be left out for lightgcn"):
        LightGCNBaseline().fit(tiny(), Widths([6]), Run(checkpoint=Path("state")))
    with pytest.raises(OptionError, match="one width at a time, got 4, 8"):
        LightGCNBaseline().fit(tiny(), Widths([4, 8]), Run())


def test_where_nothing_can_be_held_out_it_asks_for_the_epochs() -> None:
    singles = from_sets([[0], [1], [2]], n_items=4)
    with pytest.raises(DataError, match="such as epochs=30"):
        LightGCNBaseline().fit(singles, Widths([2]), Run())
    assert LightGCNBaseline(epochs=1).fit(singles, Widths([2]), Run(threads=1)).n_items == 3


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("n_layers", 0),
        ("learning_rate", 0.0),
        ("regularization", -1.0),
        ("batch_size", 0),
        ("epochs", 0),
        ("epochs", 1.5),
    ],
)
def test_a_bad_option_is_refused_by_its_name(option: str, value: float) -> None:
    with pytest.raises(OptionError, match=option):
        baseline("lightgcn", **{option: value})


def test_an_unknown_device_is_refused_with_the_choices() -> None:
    with pytest.raises(OptionError, match=r"device must be one of auto, cpu, cuda; got 'tpu'"):
        LightGCNBaseline(device="tpu")


def test_it_is_among_the_baselines() -> None:
    assert BASELINES["lightgcn"] is LightGCNBaseline


def test_tuning_begins_around_the_defaults() -> None:
    for name, space in LightGCNBaseline.space.items():
        default = getattr(LightGCNBaseline(), name)
        assert default in space.values if isinstance(space, Choice) else space.low < default < space.high

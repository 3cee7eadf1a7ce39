"""Turning keeps the full width and makes prefixes the best truncations; validation decides whether it is done."""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.evaluation import evaluate_arrays
from nestrec.svd_rotation import rotate_embeddings
from nestrec.training import fit as fit_module
from nestrec.training import fitted_model
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from tests.training.worlds import Interfering, is_same, quick, tiny

Matrix = npt.NDArray[np.float32]
EXACT = Run(deterministic=True)


def vectors(n: int, size: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


def validated(users: Matrix, items: Matrix, data: Interactions) -> list[float]:
    train, held_out = RandomSplit(0.1).split(data)
    values = evaluate_arrays(
        users, items, (3, 8), train.indptr, train.indices, held_out.indptr, held_out.indices,
        metrics=("ndcg",), cutoffs=(20,),
    )  # fmt: skip
    return [of["ndcg@20"] for of in values]


UNTRAINED = Trainer(widths=(3, 8), epochs=1, learning_rate=1e-6)


def replace_rotation(
    monkeypatch: pytest.MonkeyPatch, rotate: Callable[[Matrix, Matrix], tuple[Matrix, Matrix]]
) -> None:
    """Rotate by this function, in the evaluation and of the model."""
    for module in (fit_module, fitted_model):
        monkeypatch.setattr(module, "rotate_embeddings", rotate)


def test_validation_takes_what_ranks_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """A rotation that surely helps: it gives the vectors of a trained model for those of an untrained one."""
    trained = quick().fit(tiny(), refit=False, run=EXACT)
    replace_rotation(monkeypatch, lambda *_: (trained.user_embeddings, trained.item_embeddings))
    found = UNTRAINED.fit(tiny(), refit=False, run=EXACT)
    assert found.manifest["training"]["rotated"] is True
    assert is_same(found, trained)
    metrics: dict[str, Any] = found.manifest["training"]["validation_metrics"]["metrics"]
    expected = validated(trained.user_embeddings, trained.item_embeddings, tiny())
    assert [metrics[width]["ndcg@20"] for width in ("3", "8")] == pytest.approx(expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_validation_refuses_what_ranks_no_better(sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same vectors, or all scores the wrong way round."""
    plain = quick().fit(tiny(), refit=False, run=EXACT)
    replace_rotation(monkeypatch, lambda users, items: (users, sign * items))
    found = replace(quick(), rotate=True).fit(tiny(), refit=False, run=EXACT)
    assert found.manifest["training"]["rotated"] is False
    assert is_same(found, plain)


def test_it_can_be_left_out() -> None:
    """The trained prefixes are kept though rotated ones rank better."""
    assert replace(UNTRAINED, rotate=False).fit(tiny(), run=EXACT).manifest["training"]["rotated"] is False


def test_one_width_is_never_rotated() -> None:
    """There is nothing to gain: the full width stays as it is."""
    assert Trainer(widths=(8,), epochs=3).fit(tiny(), run=EXACT).manifest["training"]["rotated"] is False


def test_a_cut_in_the_final_phase_keeps_the_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search has decided is in the checkpoint: the resumed run ends as one that was left alone."""
    trainer = Trainer(widths=(3, 8), epochs=4, evaluate_every=1)
    monkeypatch.setattr(fit_module, "_is_better", lambda *_: True)
    whole = trainer.fit(tiny(), run=EXACT)
    assert whole.manifest["training"]["rotated"] is True
    run = replace(EXACT, checkpoint=tmp_path / "state", checkpoint_seconds=0.0, return_on_interrupt=True)
    trainer.fit(tiny(), run=replace(run, callbacks=Interfering(after_epoch=("final", 1))))
    resumed = trainer.fit(tiny(), run=replace(run, resume=True))
    assert is_same(resumed, whole)
    assert resumed.manifest["training"]["validation_metrics"] == whole.manifest["training"]["validation_metrics"]


@pytest.mark.parametrize("refit", [True, False])
def test_a_stop_while_rotated_vectors_are_ranked_is_heard_and_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refit: bool
) -> None:
    """On large data this ranking takes long; a stop was heard only at its end."""
    trainer = Trainer(widths=(3, 8), epochs=4, evaluate_every=1)
    monkeypatch.setattr(fit_module, "_is_better", lambda *_: True)
    whole = trainer.fit(tiny(), refit=refit, run=EXACT)
    run = replace(EXACT, checkpoint=tmp_path / "state", checkpoint_seconds=0.0, return_on_interrupt=True)

    def interrupted(users: Matrix, items: Matrix) -> tuple[Matrix, Matrix]:
        signal.raise_signal(signal.SIGINT)
        return rotate_embeddings(users, items)

    with monkeypatch.context() as patched:
        patched.setattr(fit_module, "rotate_embeddings", interrupted)
        cut = trainer.fit(tiny(), refit=refit, run=run)
    assert (cut.manifest["training"]["interrupted"], cut.manifest["training"]["rotated"]) == (True, False)
    assert is_same(trainer.fit(tiny(), refit=refit, run=replace(run, resume=True)), whole)

"""Turning keeps the full width and makes prefixes the best truncations; validation decides whether it is done."""

from __future__ import annotations

import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.evaluation import evaluate_arrays
from nestrec.training import fit as fit_module
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from nestrec.training.turning import turned
from tests.training.worlds import Interfering, is_same, quick, tiny

Matrix = npt.NDArray[np.float32]
EXACT = Run(deterministic=True)


def vectors(n: int, size: int, seed: int) -> Matrix:
    return np.random.default_rng(seed).normal(size=(n, size)).astype(np.float32)


def test_prefixes_become_the_best_truncations_and_the_full_width_stays() -> None:
    """Against numpy's SVD of the whole matrix of scores."""
    users, items = vectors(40, 6, 0) * np.array([1, 5, 0.2, 3, 1, 2], dtype=np.float32), vectors(30, 6, 1)
    scores = users.astype(float) @ items.T
    left, values, right = np.linalg.svd(scores)
    new_users, new_items = turned(users, items)
    assert new_users.dtype == new_items.dtype == np.float32
    for width in range(1, 7):
        best = left[:, :width] * values[:width] @ right[:width]
        np.testing.assert_allclose(new_users[:, :width] @ new_items[:, :width].T, best, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(new_users, axis=0), np.linalg.norm(new_items, axis=0), rtol=1e-4)


def test_directions_that_nobody_uses_become_zeros() -> None:
    """Collapsed coordinates, on one side or both, and a model of zeros: no NaN, the same scores."""
    users, items = vectors(40, 5, 0), vectors(30, 5, 1)
    users[:, 3] = items[:, 4] = 0
    new_users, new_items = turned(users, items)
    np.testing.assert_allclose(new_users @ new_items.T, users @ items.T, atol=1e-4)
    assert np.abs(new_users[:, 3:]).max() < 1e-3
    nothing = np.zeros_like(users)
    assert not turned(nothing, items)[0].any()


def validated(users: Matrix, items: Matrix, data: Interactions) -> list[float]:
    train, held_out = RandomSplit(0.1).split(data)
    values = evaluate_arrays(
        users, items, (3, 8), train.indptr, train.indices, held_out.indptr, held_out.indices,
        metrics=("ndcg",), cutoffs=(20,),
    )  # fmt: skip
    return [of["ndcg@20"] for of in values]


UNTRAINED = Trainer(widths=(3, 8), epochs=1, learning_rate=1e-6)


def test_validation_takes_what_ranks_better(monkeypatch: pytest.MonkeyPatch) -> None:
    """In place of turning something that surely helps: the vectors of a trained model for those of an untrained one."""
    trained = quick().fit(tiny(), refit=False, run=EXACT)
    monkeypatch.setattr(fit_module, "turned", lambda *_: (trained.user_embeddings, trained.item_embeddings))
    found = UNTRAINED.fit(tiny(), refit=False, run=EXACT)
    assert found.manifest["training"]["turned"] is True
    assert is_same(found, trained)
    told: dict[str, Any] = found.manifest["training"]["validation_metrics"]["metrics"]
    expected = validated(trained.user_embeddings, trained.item_embeddings, tiny())
    assert [told[width]["ndcg@20"] for width in ("3", "8")] == pytest.approx(expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_validation_refuses_what_ranks_no_better(sign: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same vectors, or all scores the wrong way round."""
    plain = quick().fit(tiny(), refit=False, run=EXACT)
    monkeypatch.setattr(fit_module, "turned", lambda users, items: (users, sign * items))
    found = replace(quick(), turning=True).fit(tiny(), refit=False, run=EXACT)
    assert found.manifest["training"]["turned"] is False
    assert is_same(found, plain)


def test_it_can_be_left_out() -> None:
    """The trained prefixes are kept though turned ones rank better."""
    assert replace(UNTRAINED, turning=False).fit(tiny(), run=EXACT).manifest["training"]["turned"] is False


def test_one_width_is_never_turned() -> None:
    """There is nothing to gain: the full width stays as it is."""
    assert Trainer(widths=(8,), epochs=3).fit(tiny(), run=EXACT).manifest["training"]["turned"] is False


def test_a_cut_in_the_final_phase_keeps_the_decision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the search has decided is in the checkpoint: the resumed run ends as one that was left alone."""
    trainer = Trainer(widths=(3, 8), epochs=4, evaluate_every=1)
    monkeypatch.setattr(fit_module.Fit, "_is_better", lambda *_: True)
    whole = trainer.fit(tiny(), run=EXACT)
    assert whole.manifest["training"]["turned"] is True
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
    monkeypatch.setattr(fit_module.Fit, "_is_better", lambda *_: True)
    whole = trainer.fit(tiny(), refit=refit, run=EXACT)
    run = replace(EXACT, checkpoint=tmp_path / "state", checkpoint_seconds=0.0, return_on_interrupt=True)

    def interrupted(users: Matrix, items: Matrix) -> tuple[Matrix, Matrix]:
        signal.raise_signal(signal.SIGINT)
        return turned(users, items)

    with monkeypatch.context() as patched:
        patched.setattr(fit_module, "turned", interrupted)
        cut = trainer.fit(tiny(), refit=refit, run=run)
    assert (cut.manifest["training"]["interrupted"], cut.manifest["training"]["turned"]) == (True, False)
    assert is_same(trainer.fit(tiny(), refit=refit, run=replace(run, resume=True)), whole)

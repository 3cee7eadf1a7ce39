"""Weights and dislikes from interactions to vectors, through a whole training run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nestrec.data.dislikes import with_dislikes
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.errors import OptionError
from nestrec.training.options import Run
from nestrec.training.signals import Signals, normalize_weights
from nestrec.training.trainer import Trainer
from tests.training.worlds import is_same, quick, tiny, weighted

RUN = Run(seed=1, deterministic=True, threads=2)


def disliking(seed: int = 0) -> Interactions:
    """Return the interactions with two random dislikes of each user."""
    data = tiny()
    rng = np.random.default_rng(seed)
    indices = np.sort([rng.choice(data.n_items, 2, replace=False) for _ in range(data.n_users)], axis=1)
    indptr = np.arange(0, 2 * data.n_users + 1, 2)
    return with_dislikes(data, Interactions(data.users, data.items, indptr, indices.ravel().astype(np.int32)))


def test_weights_have_mean_1_whatever_their_unit() -> None:
    weights = np.array([1, 2, 6], dtype=np.float32)
    one, other = normalize_weights(weights), normalize_weights(1000 * weights)
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(one, [1 / 3, 2 / 3, 2])
    np.testing.assert_allclose(one, other)
    assert normalize_weights(None) is None


def test_slices_of_an_epoch_have_each_dislike_once() -> None:
    signals = Signals(disliked=np.zeros(37, dtype=np.int32))
    slices = [signals.dislikes_of_slice(start, min(start + 64, 1000), 1000) for start in range(0, 1000, 64)]
    assert [row for start, stop in slices for row in range(start, stop)] == list(range(37))


@pytest.mark.parametrize("options", [{}, {"loss": "bpr"}], ids=["softmax", "pairs"])
def test_equal_weights_train_as_none(options: dict[str, Any]) -> None:
    trainer = Trainer(widths=(3, 8), epochs=3, **options)
    equal = replace(tiny(), weights=np.full(tiny().n_interactions, 7, dtype=np.float32), check=False)
    one, other, different = (trainer.fit(data, validation=None, run=RUN) for data in (equal, tiny(), weighted(tiny())))
    assert is_same(one, other)
    assert not is_same(one, different)


def test_what_weighs_most_is_learned_best() -> None:
    """A half of the interactions, at random, weighs a hundred times as much as the rest."""
    heavy = np.random.default_rng(0).random(tiny().n_interactions) < 0.5
    weights = np.where(heavy, 1, 0.01).astype(np.float32)
    model = Trainer(widths=(4, 16), epochs=20).fit(replace(tiny(), weights=weights), validation=None, run=RUN)
    users = np.repeat(np.arange(tiny().n_users), np.diff(tiny().indptr))
    scores = (model.user_embeddings[users] * model.item_embeddings[tiny().indices]).sum(axis=1)
    assert scores[heavy].mean() > 1.5 * scores[~heavy].mean()


@pytest.mark.parametrize("options", [{}, {"loss": "bpr"}, {"engine": "torch"}], ids=str)
def test_disliked_items_fall_in_the_ranking(options: dict[str, Any]) -> None:
    if options.get("engine") == "torch":
        pytest.importorskip("torch")
    data = disliking()
    dislikes = data.dislikes
    assert dislikes is not None
    users = np.repeat(np.arange(data.n_users), np.diff(dislikes.indptr))
    trainer, means = Trainer(widths=(4, 16), epochs=10, **options), []
    for interactions in (replace(data, dislikes=None), data):
        model = trainer.fit(interactions, validation=None, run=RUN)
        scores = model.user_embeddings @ model.item_embeddings.T
        places = (-scores).argsort(axis=1).argsort(axis=1)
        means.append(float(places[users, dislikes.indices].mean()))
    assert means[1] > means[0] + 2


def test_the_model_keeps_weights_and_dislikes() -> None:
    data = replace(disliking(), weights=weighted(tiny()).weights)
    model = quick(epochs=2).fit(data, validation=RandomSplit(0.2, seed=1), run=RUN)
    assert model.seen.fingerprint() == data.fingerprint()
    described = model.manifest["data"]
    assert described["weighted"]
    assert data.dislikes is not None
    assert described["n_dislikes"] == data.dislikes.n_interactions


def test_runs_with_dislikes_are_reproducible_on_any_number_of_threads() -> None:
    one, two = (quick(epochs=2).fit(disliking(), run=replace(RUN, threads=threads)) for threads in (1, 2))
    assert is_same(one, two)


def test_a_loss_without_negatives_takes_no_dislikes() -> None:
    pytest.importorskip("torch")
    with pytest.raises(OptionError, match="loss must be one with negatives"):
        Trainer(widths=(4,), loss="directau", epochs=1).fit(disliking())

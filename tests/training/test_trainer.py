"""What training must learn of a world whose truth is known, and how its phases follow each other."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError
from nestrec.training.options import Run
from nestrec.training.samplers import DynamicSampler, PoolSampler, Sampler, UniformSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths
from tests.training.worlds import Interfering, Recorder, from_sets, is_same, quality, quick, tiny, world

WIDTHS = (4, 8, 16, 32)
FloatMatrix = npt.NDArray[np.float32]

EXACT = Run(deterministic=True)


@pytest.fixture(scope="module")
def parts() -> tuple[Interactions, Interactions]:
    """The world's interactions, four fifths and one."""
    return RandomSplit(0.2, seed=5).split(world().interactions)


@pytest.fixture(scope="module")
def model(parts: tuple[Interactions, Interactions]) -> NestedEmbeddings:
    """What the defaults learn from four fifths of the world."""
    return Trainer(widths=WIDTHS).fit(parts[0], run=EXACT)


def cosines(vectors: FloatMatrix) -> FloatMatrix:
    units: FloatMatrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    similar: FloatMatrix = units @ units.T
    return similar


def purity(vectors: FloatMatrix, labels: npt.NDArray[np.int32]) -> float:
    """Share of items whose nearest neighbour has their label."""
    similar = cosines(vectors)
    np.fill_diagonal(similar, -2)
    return float((labels[similar.argmax(axis=1)] == labels).mean())


def of_popularity(train: Interactions) -> NestedEmbeddings:
    """A model that ranks by popularity alone."""
    counts = np.bincount(train.indices, minlength=train.n_items).astype(np.float32)[:, None]
    ones = np.ones((train.n_users, 1), dtype=np.float32)
    return NestedEmbeddings(ones, counts, Widths([1]), train.users, train.items, train)


def test_the_narrowest_prefix_separates_topics(model: NestedEmbeddings) -> None:
    """Four numbers hold the four topics: within a topic items point the same way, between topics apart."""
    topics, narrow = world().item_topic, model.item_embeddings[:, :4]
    same = topics[:, None] == topics
    similar = cosines(narrow)
    assert purity(narrow, topics) > 0.97
    assert similar[same].mean() > 0.6
    assert similar[~same].mean() < 0.0


def test_wider_prefixes_add_subtopics(model: NestedEmbeddings) -> None:
    """What four numbers cannot hold, each wider prefix holds more of, and 32 nearly all."""
    pure = [purity(model.item_embeddings[:, :width], world().item_subtopic) for width in WIDTHS]
    assert pure == sorted(pure)
    assert pure[0] < 0.6 < 0.9 < pure[-1]


def test_every_width_recommends_better_than_popularity(
    model: NestedEmbeddings, parts: tuple[Interactions, Interactions]
) -> None:
    """By half at least, and wider ones better than the narrowest."""
    popularity = quality(of_popularity(parts[0]), parts[1])[1]
    reached = quality(model, parts[1])
    assert min(reached.values()) > 1.5 * popularity
    assert reached[32] > 1.2 * reached[4]


def test_two_racing_threads_learn_as_much_as_one(
    model: NestedEmbeddings, parts: tuple[Interactions, Interactions]
) -> None:
    """Updates that get lost are too few to matter: the mean over widths stays within what seeds differ by."""
    racing = quality(Trainer(widths=WIDTHS).fit(parts[0], run=Run(threads=2)), parts[1])
    assert sum(racing.values()) > 0.92 * sum(quality(model, parts[1]).values())


def test_negatives_that_are_hard_teach_more_than_any(
    model: NestedEmbeddings, parts: tuple[Interactions, Interactions]
) -> None:
    """Uniform negatives leave the fine tastes unlearnt."""
    uniform = Trainer(widths=WIDTHS, sampler=UniformSampler()).fit(parts[0], run=EXACT)
    reached, hard = quality(uniform, parts[1]), quality(model, parts[1])
    assert all(hard[width] > reached[width] for width in WIDTHS)
    assert hard[32] > 1.1 * reached[32]
    assert uniform.manifest["training"]["options"]["n_candidates"] == 1


def weighted(
    parts: tuple[Interactions, Interactions], sampler: Sampler, weights: tuple[float, float]
) -> dict[int, float]:
    trainer = Trainer(widths=(4, 32), sampler=sampler, level_weights=weights, epochs=20)
    return quality(trainer.fit(parts[0], validation=None, run=EXACT), parts[1])


def test_level_weights_say_which_width_matters(parts: tuple[Interactions, Interactions]) -> None:
    """A level of weight 0 is not trained for: its narrow prefix is worse than where it is all that counts."""
    narrow, wide = (weighted(parts, DynamicSampler(), weights) for weights in ((0.99, 0.01), (0.0, 1.0)))
    assert narrow[4] > 1.1 * wide[4]
    assert wide[32] > 1.1 * narrow[32]


def test_coordinates_of_their_own_serve_a_wide_width_of_little_weight(
    parts: tuple[Interactions, Interactions],
) -> None:
    """Level weights of a softmax change only gradients of narrow coordinates: the wide width fits what they leave."""
    narrow, wide = (weighted(parts, PoolSampler(), weights) for weights in ((0.99, 0.01), (0.0, 1.0)))
    assert narrow[4] > 1.1 * wide[4]
    assert narrow[32] > 0.95 * wide[32]


@pytest.mark.parametrize("widths", [(1,), (3, 7), (5,), (8, 1024), (1, 2, 3, 4, 5, 6, 7, 8, 9)])
def test_any_ladder_trains(widths: tuple[int, ...]) -> None:
    """No width is special, whether or not whole vectors of numbers hold it."""
    trained = Trainer(widths=widths, epochs=4).fit(tiny(), validation=None, run=EXACT)
    assert trained.item_embeddings.shape == (tiny().n_items, widths[-1])
    assert trained.user_embeddings.flags.c_contiguous
    popular = np.bincount(tiny().indices, minlength=tiny().n_items)
    seen = trained.user_embeddings[np.repeat(np.arange(tiny().n_users), np.diff(tiny().indptr))]
    scores = trained.user_embeddings @ trained.item_embeddings.T
    assert (seen * trained.item_embeddings[tiny().indices]).sum(axis=1).mean() > scores.mean()
    assert popular.max() > 1


def test_search_stops_when_patience_is_lost() -> None:
    """After `patience` rankings without a better value there is no further epoch, and the best one is refitted."""
    recorder = Recorder()
    trainer = Trainer(widths=(8, 64), epochs=60, evaluate_every=1, patience=2, regularization=0.0)
    trained = trainer.fit(tiny(), run=Run(deterministic=True, callbacks=recorder))
    searched = [report for report in recorder.reports if report.phase == "search"]
    best = max(searched, key=lambda report: report.value or 0.0)
    assert len(searched) == best.epoch + 2 < 60
    assert [report.epoch for report in searched if report.best][-1] == best.epoch
    assert [report.epoch for report in recorder.reports if report.phase == "final"] == list(range(1, best.epoch + 1))
    assert trained.manifest["training"]["epochs"] == best.epoch


def test_refit_is_training_on_all_interactions_for_the_epochs_chosen() -> None:
    """The final phase equals a run without validation that stops there: nothing of the search is left in it."""
    recorder = Recorder()
    trainer = Trainer(widths=(3, 8), epochs=4, evaluate_every=4, rotate=False)
    refitted = trainer.fit(tiny(), run=Run(deterministic=True, callbacks=recorder))
    assert is_same(refitted, trainer.fit(tiny(), validation=None, run=EXACT))
    assert [start.n_positives for start in recorder.starts][1] == tiny().n_interactions > recorder.starts[0].n_positives
    assert refitted.manifest["training"]["trained_on"] == "all interactions"


def test_without_refit_the_best_of_the_search_is_the_model() -> None:
    """It is what a run on the training part alone gives, and the manifest says so."""
    split = RandomSplit(0.2, seed=3)
    trainer = Trainer(widths=(3, 8), epochs=4, evaluate_every=4, regularization=0.02, rotate=False)
    trained = trainer.fit(tiny(), validation=split, refit=False, run=EXACT)
    assert is_same(trained, trainer.fit(split.split(tiny())[0], validation=None, run=EXACT))
    assert trained.manifest["training"]["trained_on"] == "all but the validation part"
    assert trained.seen.n_interactions == tiny().n_interactions


def test_without_validation_all_epochs_are_trained_unwatched() -> None:
    recorder = Recorder()
    trained = quick(epochs=5).fit(tiny(), validation=None, run=Run(callbacks=recorder))
    assert recorder.phases == ["final"]
    assert [report.metrics for report in recorder.reports] == [None] * 5
    assert trained.manifest["training"] | {"validation": None} == trained.manifest["training"] | {
        "validation": None,
        "epochs": 5,
        "validation_metrics": None,
        "history": [],
        "interrupted": False,
    }


def test_given_validation_chooses_the_epoch_and_is_not_trained_on() -> None:
    """The model is that of the training interactions alone, and there is one phase."""
    train, held_out = RandomSplit(0.2, seed=3).split(tiny())
    recorder = Recorder()
    trainer = quick(epochs=4, evaluate_every=4)
    trained = trainer.fit(train, validation=held_out, run=Run(deterministic=True, callbacks=recorder))
    assert recorder.phases == ["search"]
    assert is_same(trained, trainer.fit(train, validation=None, run=EXACT))
    assert trained.manifest["training"]["trained_on"] == "all interactions"
    assert recorder.reports[-1].value == pytest.approx(np.mean(list(quality(trained, held_out).values())), rel=1e-5)


def renamed(interactions: Interactions, n_unknown: int) -> Interactions:
    """The same rows and columns, the last users under ids that occur nowhere else."""
    ids = [str(name) for name in interactions.users.ids[: interactions.n_users - n_unknown]]
    ids += [f"zz{number:09}" for number in range(n_unknown)]
    users = Vocabulary.from_ids(ids)
    return Interactions(users, interactions.items, interactions.indptr, interactions.indices)


def test_validation_of_partly_unknown_ids_uses_what_is_known() -> None:
    """Users that were never trained take no part in the choice; the callback gets a message."""
    train, held_out = RandomSplit(0.2, seed=3).split(tiny())
    recorder = Recorder()
    quick().fit(train, validation=renamed(held_out, 40), run=Run(callbacks=recorder))
    assert len(recorder.messages) == 1
    assert f"of {held_out.n_interactions:,} validation interactions" in recorder.messages[0]
    with pytest.raises(DataError, match="at least one validation interaction must be usable, got none of"):
        quick().fit(train, validation=renamed(held_out, held_out.n_users))


def test_reports_add_up() -> None:
    """Every positive of every epoch is reported once; the loss falls; metrics come at validations, for every width."""
    recorder = Recorder()
    quick(epochs=6).fit(tiny(), run=Run(callbacks=recorder))
    search = [report for report in recorder.reports if report.phase == "search"]
    assert sum(recorder.n_advanced) == sum(
        start.n_positives * sum(report.phase == start.phase for report in recorder.reports) for start in recorder.starts
    )
    assert [report.metrics is not None for report in search] == [False, True] * 3
    assert search[-1].loss < search[0].loss
    assert all(report.positives_per_second > 0 for report in recorder.reports)
    metrics = search[1].metrics
    assert metrics is not None
    assert list(metrics) == [3, 8]
    assert search[1].value == pytest.approx(np.mean([metrics[width]["ndcg@20"] for width in (3, 8)]))


def test_the_manifest_says_what_was_done() -> None:
    trained = quick(epochs=4).fit(tiny(), run=Run(seed=7, deterministic=True))
    told: Any = trained.manifest["training"]
    assert told["options"]["widths"] == [3, 8]
    assert told["options"]["seed"] == 7
    assert told["options"]["sampler"] == "PoolSampler(n_candidates=None)"
    assert [entry["epoch"] for entry in told["history"]] == [2, 4]
    assert told["validation_metrics"] in told["history"]
    assert told["validation"]["kind"] == "RandomSplit"
    assert trained.manifest["data"] == {
        "fingerprint": tiny().fingerprint(),
        "n_users": tiny().n_users,
        "n_items": tiny().n_items,
        "n_interactions": tiny().n_interactions,
    }


def test_one_user_alone_has_nothing_to_learn_from() -> None:
    """Items without interactions are not drawn as negatives: the model does not contain them."""
    with pytest.raises(DataError, match="all 3 items"):
        Trainer(widths=(2,), epochs=30).fit(from_sets([[1, 4, 6]], 9), validation=None, run=EXACT)


def test_the_items_of_a_user_come_first() -> None:
    sets = [[1, 4, 6], [0, 2, 3, 5]]
    trained = Trainer(widths=(2,), epochs=30).fit(from_sets(sets, 7), validation=None, run=EXACT)
    scores = trained.item_embeddings @ trained.user_embeddings[0]
    assert set(np.argsort(-scores)[:3].tolist()) == {1, 4, 6}


def test_whoever_has_everything_does_not_disturb() -> None:
    """There is no negative for such a user: the vector stays as it began, and the others learn."""
    everything = from_sets([list(range(6)), [0, 1], [0, 2]], 6)
    trained = Trainer(widths=(4,), epochs=30, regularization=0.05).fit(everything, validation=None, run=EXACT)
    scores = trained.user_embeddings @ trained.item_embeddings.T
    assert np.isfinite(scores).all()
    assert set(np.argsort(-scores[1])[:2].tolist()) == {0, 1}


@pytest.mark.parametrize(
    ("interactions", "sentence"),
    [
        (from_sets([[], []], 3), "at least 1 interaction, got none"),
        (from_sets([[0], [0]], 1), "at least 2 items, got 1"),
        (from_sets([[0, 1], [0, 1]], 2), "every user has all 2 items"),
        (from_sets([[0, 1], []], 2), "every user has all 2 items"),
    ],
)
def test_data_without_anything_to_learn_are_refused(interactions: Interactions, sentence: str) -> None:
    with pytest.raises(DataError, match=sentence):
        quick().fit(interactions)


def test_data_too_thin_to_hold_out_from_say_so() -> None:
    """One interaction each: validation is impossible, training without it is not."""
    thin = from_sets([[0], [1], [2]], 4)
    with pytest.raises(DataError, match="or validation=None"):
        quick().fit(thin)
    assert quick().fit(thin, validation=None).user_embeddings.shape == (3, 8)


def test_an_interruption_before_anything_was_ranked_leaves_what_was_trained() -> None:
    """The manifest counts the whole epochs behind the vectors."""
    stopper = Interfering(after_epoch=("search", 1))
    trained = quick().fit(tiny(), run=Run(deterministic=True, return_on_interrupt=True, callbacks=stopper))
    assert trained.manifest["training"]["interrupted"] is True
    assert trained.manifest["training"]["epochs"] == 1
    assert trained.manifest["training"]["validation_metrics"] is None


def test_candidates_are_as_many_as_asked_for() -> None:
    """More candidates are harder ones, so the loss is higher."""
    losses = []
    for n_candidates in (1, 4, 64):
        recorder = Recorder()
        trainer = Trainer(widths=(8,), epochs=6, sampler=DynamicSampler(n_candidates))
        trainer.fit(tiny(), validation=None, run=Run(deterministic=True, callbacks=recorder))
        losses.append(recorder.reports[-1].loss)
    assert losses == sorted(losses)
    assert losses[2] > 1.2 * losses[0]

"""Baselines whose results a textbook formula gives."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.baselines import baseline, ease
from nestrec.baselines.ials import Ials, IalsRotated
from nestrec.baselines.nested import Nestrec, NestrecAlone, NestrecAloneCut, NestrecAloneRotated
from nestrec.baselines.puresvd import PureSvd
from nestrec.data.interactions import Interactions
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, OptionError, TrainingError
from nestrec.evaluation import ItemSimilarities
from nestrec.training.options import Run
from nestrec.training.samplers import PoolSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths
from tests.baselines.synthetic import all_scores, arrays_of, small_data
from tests.evaluation.plain import numbered

Matrix = npt.NDArray[np.float64]
ONE_THREAD = Run(seed=2, threads=1)


def dense() -> tuple[Interactions, Matrix]:
    train, _ = small_data()
    return train, train.to_scipy().toarray().astype(np.float64)


def weights(name: str, interactions: Interactions, **options: float) -> Matrix:
    model = baseline(name, **options).fit(interactions, Widths([4]), Run())
    assert isinstance(model, ItemSimilarities)
    return arrays_of(model)[0].astype(np.float64)


def vectors(method: PureSvd | Ials | Nestrec, widths: list[int], run: Run = ONE_THREAD) -> NestedEmbeddings:
    return method.fit(dense()[0], Widths(widths), run)


def test_popularity_counts() -> None:
    train, x = dense()
    scores = all_scores(baseline("popularity").fit(train, Widths([4]), Run()))
    np.testing.assert_array_equal(scores, np.broadcast_to(x.sum(axis=0), x.shape))


@pytest.mark.parametrize("regularization", [1.0, 50.0])
@pytest.mark.parametrize("rows", [7, 1024])
def test_ease_is_the_textbook_formula(monkeypatch: pytest.MonkeyPatch, regularization: float, rows: int) -> None:
    monkeypatch.setattr(ease, "_ROWS_AT_ONCE", rows)
    train, x = dense()
    inverse = np.linalg.inv(x.T @ x + regularization * np.eye(x.shape[1]))
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    np.testing.assert_allclose(weights("ease", train, regularization=regularization), expected, atol=2e-5)


def test_ease_beyond_the_memory_is_refused_before_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    train, _ = dense()
    needed = int(1.5 * 4 * train.n_items**2)
    monkeypatch.setattr(ease, "available_memory", lambda: needed - 1)
    with pytest.raises(
        DataError, match=r"ease needs a matrix of 160 x 160 items.* leave ease out, or filter rare items"
    ):
        weights("ease", train)
    for enough in (needed, None):
        monkeypatch.setattr(ease, "available_memory", lambda enough=enough: enough)
        weights("ease", train)


def test_ease_that_cannot_be_inverted_asks_for_more_regularization() -> None:
    """Two items that the same million users have: in 32-bit floats a thousandth more on the diagonal is nothing."""
    rows = [[0, 1]] * 300_000 + [[2]]
    with pytest.raises(TrainingError, match=r"cannot be inverted in float32 with regularization 0\.001; increase it"):
        weights("ease", numbered(rows, 3), regularization=0.001)


def idf(x: Matrix) -> Matrix:
    result: Matrix = np.log(x.shape[1] / (1 + x.sum(axis=1)))
    return result


def cosine(x: Matrix) -> Matrix:
    unit: Matrix = x / np.linalg.norm(x, axis=0)
    return unit


def bm25(x: Matrix, k1: float = 1.2, b: float = 0.75) -> Matrix:
    n = x.sum(axis=0)
    weighted: Matrix = x * (k1 + 1) / (k1 * (1 - b + b * n / n.mean()) + 1) * idf(x)[:, np.newaxis]
    return weighted


@dataclass(frozen=True)
class Weighting:
    name: str

    def __call__(self, x: Matrix) -> Matrix:
        if self.name == "itemknn-bm25":
            return bm25(x)
        return cosine(x if self.name == "itemknn-cosine" else x * idf(x)[:, np.newaxis])


@pytest.mark.parametrize("name", ["itemknn-cosine", "itemknn-tfidf", "itemknn-bm25"])
def test_neighbours_are_the_nearest_by_a_dense_product(name: str) -> None:
    train, x = dense()
    weighted = Weighting(name)(x)
    likeness = weighted.T @ weighted
    np.testing.assert_allclose(weights(name, train, n_neighbours=500), likeness, rtol=1e-5, atol=1e-6)
    few = weights(name, train, n_neighbours=9)
    assert ((few > 0).sum(axis=1) <= 9).all()
    np.testing.assert_allclose(np.sort(few)[:, -9:], np.sort(likeness)[:, -9:], rtol=1e-5)
    np.testing.assert_allclose(few[few > 0], likeness[few > 0], rtol=1e-5)


def test_an_item_whose_users_carry_no_information_is_similar_to_no_other() -> None:
    """A user of all items but one weighs ln(n / n) = 0, and item 3 has no other: no 0 / 0 reaches the scores."""
    found = weights("itemknn-tfidf", numbered([[0, 1, 3], [0, 2], [1, 2]], 4))
    assert found[3].tolist() == [0, 0, 0, 0]
    assert np.isfinite(found).all()


def test_puresvd_is_the_decomposition_of_the_normalised_matrix() -> None:
    _, x = dense()
    n_user, n_item = x.sum(axis=1, keepdims=True), x.sum(axis=0)
    left, values, right = np.linalg.svd(x / n_user**0.3 / n_item**0.6)
    model = vectors(PureSvd(user_power=0.3, item_power=0.6, popularity_power=0.2), [3, 12])
    for width in (3, 12):
        expected = (left[:, :width] * values[:width]) @ right[:width] * n_item**0.2
        np.testing.assert_allclose(all_scores(model.at(width)), expected, atol=1e-5)


def test_puresvd_of_all_singular_values_is_the_matrix() -> None:
    _, x = dense()
    model = vectors(PureSvd(user_power=0, item_power=0.5, popularity_power=0.5), [200])
    np.testing.assert_allclose(all_scores(model), x, atol=1e-5)
    assert not model.item_embeddings[:, 160:].any()


def test_ials_solves_the_weighted_least_squares() -> None:
    """At rest every user's vector is the exact solution for the items' (Hu, Koren and Volinsky 2008, equation 4)."""
    _, x = dense()
    model = vectors(Ials(regularization=3, alpha=5, iterations=200), [4])
    items = model.item_embeddings.astype(np.float64)
    for user in range(5):
        weight = np.where(x[user] > 0, 5.0, 1.0)
        system = (items.T * weight) @ items + 3 * np.eye(4)
        expected = np.linalg.solve(system, items.T @ (weight * x[user]))
        np.testing.assert_allclose(model.user_embeddings[user], expected, rtol=2e-3, atol=2e-3)


def test_weights_are_the_confidence_of_ials() -> None:
    """Over their mean, times alpha."""
    train, x = dense()
    given = 3 * np.random.default_rng(0).exponential(size=train.n_interactions).astype(np.float32)
    confidence = np.ones_like(x)
    confidence[x > 0] = 5 * given / given.mean()
    method = Ials(regularization=3, alpha=5, iterations=200)
    model = method.fit(replace(train, weights=given, check=False), Widths([4]), ONE_THREAD)
    items = model.item_embeddings.astype(np.float64)
    for user in range(5):
        system = (items.T * confidence[user]) @ items + 3 * np.eye(4)
        expected = np.linalg.solve(system, items.T @ (confidence[user] * x[user]))
        np.testing.assert_allclose(model.user_embeddings[user], expected, rtol=2e-3, atol=2e-3)


def test_ials_does_not_depend_on_threads() -> None:
    one, two = (vectors(Ials(iterations=3), [8], Run(seed=4, threads=threads)) for threads in (1, 2))
    for first, second in zip(arrays_of(one), arrays_of(two), strict=True):
        np.testing.assert_array_equal(first, second)


def test_rotated_ials_scores_as_ials_at_full_width_and_best_below() -> None:
    whole, rotated = vectors(Ials(3, 5), [16]), vectors(IalsRotated(3, 5), [2, 8, 16])
    scores = all_scores(whole).astype(np.float64)
    np.testing.assert_allclose(all_scores(rotated), scores, atol=1e-5)
    values = np.linalg.svd(scores, compute_uv=False)
    for width in (2, 8):
        lost = np.linalg.norm(all_scores(rotated.at(width)) - scores)
        assert lost == pytest.approx(np.linalg.norm(values[width:]), rel=1e-4)


def test_implicit_bpr_has_its_bias_within_the_width() -> None:
    train, _ = dense()
    model = baseline("implicit-bpr", iterations=3).fit(train, Widths([4]), ONE_THREAD)
    users, items = arrays_of(model)
    assert users.shape[1] == items.shape[1] == 4
    assert (users[:, 3] == 1).all()
    with pytest.raises(OptionError, match=r"width must be 2 or more .*; got 1"):
        baseline("implicit-bpr").fit(train, Widths([1]), ONE_THREAD)


def test_numbers_beyond_floats_are_an_error_of_training() -> None:
    train, _ = dense()
    with pytest.raises(TrainingError, match="choose other options"):
        baseline("implicit-bpr", learning_rate=10, regularization=100, iterations=20).fit(
            train, Widths([4]), ONE_THREAD
        )


def test_nestrec_is_the_trainer() -> None:
    run = Run(seed=6, deterministic=True)
    found = vectors(Nestrec(regularization=0.05, n_candidates=64, learning_rate=0.1, epochs=3), [2, 8], run)
    trainer = Trainer([2, 8], sampler=PoolSampler(64), epochs=3, learning_rate=0.1, regularization=0.05)
    for first, second in zip(arrays_of(found), arrays_of(trainer.fit(dense()[0], run=run)), strict=True):
        np.testing.assert_array_equal(first, second)
    alone = vectors(NestrecAlone(epochs=3), [8], run)
    assert list(alone.widths) == [8]


def test_the_widest_width_alone_is_cut_as_trained_or_after_rotation() -> None:
    run = Run(seed=6, deterministic=True)
    alone = vectors(NestrecAlone(epochs=3), [8], run)
    cut, rotated = (vectors(kind(epochs=3), [2, 8], run) for kind in (NestrecAloneCut, NestrecAloneRotated))
    for first, second in zip(arrays_of(cut.at(2)), arrays_of(alone), strict=True):
        np.testing.assert_array_equal(first, second[:, :2])
    scores = all_scores(alone).astype(np.float64)
    np.testing.assert_allclose(all_scores(rotated), scores, atol=1e-5)
    lost = np.linalg.norm(all_scores(rotated.at(2)) - scores)
    assert lost == pytest.approx(np.linalg.norm(np.linalg.svd(scores, compute_uv=False)[2:]), rel=1e-4)

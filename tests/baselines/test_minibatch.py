"""Baselines trained by minibatch gradients: losses by explicit sums, and the choice of the number of epochs."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec import Run, Widths
from nestrec.baselines.mf_bsl import MfBsl
from nestrec.baselines.ultragcn import UltraGCN, edge_factors, nearest_items
from nestrec.data.interactions import Interactions
from nestrec.errors import DataError, TrainingError
from tests.baselines.synthetic import small_data
from tests.training.worlds import Recorder, from_sets

torch = pytest.importorskip("torch")

from nestrec.baselines import minibatch  # noqa: E402
from nestrec.baselines.minibatch import Batch, Options  # noqa: E402

Matrix = npt.NDArray[np.float64]


def small() -> Interactions:
    return from_sets([[0, 1, 2], [1, 2], [0, 3, 4], [2, 4]], n_items=5)


def dense() -> Matrix:
    matrix: Matrix = small().to_scipy().toarray().astype(np.float64)
    return matrix


def co_occurrence_weights(x: Matrix) -> Matrix:
    common = x.T @ x
    sums = common.sum(axis=1)
    weights: Matrix = common / (sums - np.diag(common))[:, np.newaxis] * np.sqrt(sums[:, np.newaxis] / sums)
    np.fill_diagonal(weights, 0)
    return weights


def test_neighbours_are_the_items_with_the_largest_weights() -> None:
    for interactions in (small(), small_data()[0]):
        x = interactions.to_scipy().toarray().astype(np.float64)
        expected = co_occurrence_weights(x)
        found, weights = nearest_items(interactions, 3)
        best = -np.sort(-expected, axis=1)[:, :3]
        np.testing.assert_allclose(weights, best, rtol=1e-5)
        used = weights > 0
        np.testing.assert_allclose(np.take_along_axis(expected, found, axis=1)[used], weights[used], rtol=1e-5)


def batch_of(interactions: Interactions, *, cosine: bool = False) -> tuple[Batch, Matrix, Matrix]:
    """Return a batch of all positives of a training at its start, with the vectors of users and items."""
    options = Options(
        width=3, learning_rate=0.1, weight_decay=0.0, batch_size=64, n_negatives=2, epochs=1, cosine=cosine
    )
    training = minibatch._Training(interactions, lambda batch: batch.positives.sum(), options, Run(threads=1))
    training._table.mul_(100)  # scores of about 1
    batch = training._batch(training._users, training._items)
    users, items = training.embeddings()
    return batch, users.astype(np.float64), items.astype(np.float64)


def softplus(x: Matrix) -> Matrix:
    result: Matrix = np.log1p(np.exp(x))
    return result


def test_ultragcn_is_the_weighted_sum_over_pairs() -> None:
    """Positives and unseen negatives by the weights of their edges, and the neighbours of the positive."""
    x, w = dense(), co_occurrence_weights(dense())
    batch, users, items = batch_of(small())
    method = UltraGCN(negative_weight=7, item_weight=0.3, positive_base=0.2, negative_base=0.1, n_neighbours=5)
    of_users, of_items = x.sum(axis=1), x.sum(axis=0)
    edge = np.sqrt((of_users[:, np.newaxis] + 1) / (of_items + 1)) / of_users[:, np.newaxis]
    np.testing.assert_allclose(np.outer(*edge_factors(small())), edge, rtol=1e-5)
    total, scores = 0.0, users @ items.T
    pairs = zip(batch.user_index.tolist(), batch.item_index.tolist(), batch.negative_index.tolist(), strict=True)
    for user, item, pool in pairs:
        total += (0.2 + edge[user, item]) * softplus(-scores[user, item])
        unseen = [j for j in pool if x[user, j] == 0]
        total += 7 / len(pool) * sum((0.1 + edge[user, j]) * softplus(scores[user, j]) for j in unseen)
        total += 0.3 * float(w[item] @ softplus(-scores[user]))
    loss = method.build_loss(small(), batch.users.device)(batch)
    assert float(loss.detach()) == pytest.approx(total / small().n_interactions, rel=1e-4)


def test_bsl_is_of_cosines_with_both_sides_by_user() -> None:
    x, t, ratio = dense(), 0.2, 1.5
    batch, users, items = batch_of(small(), cosine=True)
    np.testing.assert_allclose(np.linalg.norm(users, axis=1), 1, rtol=1e-5)
    scores, own = users @ items.T, t * ratio
    losses = []
    for user, pool in zip(batch.user_index.tolist(), batch.negative_index.tolist(), strict=True):
        unseen = [j for j in pool if x[user, j] == 0]
        negative = t * np.log(np.exp(scores[user, unseen] / t).sum() / len(pool)) if unseen else 0.0
        losses.append(negative - own * np.log(np.exp(scores[user, x[user] > 0] / own).mean()))
    found = MfBsl(temperature=t, temperature_ratio=ratio).loss(batch)
    assert float(found.detach()) == pytest.approx(np.mean(losses), rel=1e-4)


def test_the_embeddings_of_bsl_have_length_one() -> None:
    model = MfBsl(epochs=1).fit(small_data()[0], Widths([4]), Run(threads=1))
    np.testing.assert_allclose(np.linalg.norm(model.item_embeddings, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("method", [MfBsl(batch_size=512), UltraGCN(batch_size=512)], ids=lambda one: one.name)
def test_the_epoch_is_chosen_on_a_part_and_then_everything_is_trained(
    monkeypatch: pytest.MonkeyPatch, method: Any
) -> None:
    """The first evaluation is the best here; the search ends five evaluations later."""
    values = iter([0.5, 0.4, 0.4, 0.4, 0.4, 0.4])
    monkeypatch.setattr(minibatch, "_validate", lambda *_: next(values))
    heard = Recorder()
    model = method.fit(small_data()[0], Widths([2]), Run(threads=1, callbacks=heard))
    assert heard.phases == ["search", "final"]
    assert heard.starts[1].epochs == model.manifest["baseline"]["epochs"] == 5
    assert sum(heard.n_advanced) == 30 * heard.starts[0].n_positives + 5 * small_data()[0].n_interactions
    assert next(values, None) is None


def test_where_nothing_can_be_held_out_it_asks_for_the_epochs() -> None:
    singles = from_sets([[0], [1], [2]], n_items=4)
    with pytest.raises(DataError, match="such as epochs=30"):
        MfBsl().fit(singles, Widths([2]), Run())
    assert MfBsl(epochs=1).fit(singles, Widths([2]), Run(threads=1)).n_items == 3


def test_a_loss_beyond_floats_names_the_learning_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(minibatch, "_STARTING_SCALE", 1e30)
    with pytest.raises(TrainingError, match=r"got (inf|nan); lower learning_rate \(it was 0.005\)"):
        UltraGCN(epochs=1).fit(small_data()[0], Widths([2]), Run(threads=1))


def test_the_default_batch_is_a_64th_of_the_interactions_within_bounds() -> None:
    assert minibatch.default_batch_size(small_data()[0]) == 256
    large = from_sets([list(range(700))] * 300, n_items=700)
    assert minibatch.default_batch_size(large) == 2048

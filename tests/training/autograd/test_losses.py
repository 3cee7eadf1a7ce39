"""Every loss against its formula in float64, and finite at scores of ten thousand."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from nestrec.training.losses import (
    BPR,
    BilateralSoftmax,
    BinaryCrossEntropy,
    DirectAU,
    Loss,
    PoolLoss,
    SampledSoftmax,
    Scored,
)

torch = pytest.importorskip("torch")

WIDTHS, BATCH, POOL = (2, 3, 7), 12, 6
Array = npt.NDArray[np.float64]
RNG = np.random.default_rng(2)
USERS, ITEMS = (RNG.standard_normal((BATCH, WIDTHS[-1])) for _ in range(2))
POSITIVES, NEGATIVES = (3 * RNG.standard_normal((len(WIDTHS), BATCH)) for _ in range(2))
POOLED = 3 * RNG.standard_normal((len(WIDTHS), BATCH, POOL))


def scored(negatives: Array = NEGATIVES, positives: Array = POSITIVES, **changes: Any) -> Scored:
    parts = (torch.from_numpy(part.astype(np.float32)) for part in (USERS, ITEMS, positives, negatives))
    users, items, positive, negative = parts
    given = {"inverse_temperatures": torch.tensor([4.0, 2.0, 0.5]), "items_per_candidate": 1.0} | changes
    return Scored(users, items, WIDTHS, positive, negative, **given)


def result(loss: Loss, given: Scored) -> Array:
    losses: Array = loss(given).double().numpy()
    return losses


def test_bpr_is_softplus_of_the_margin() -> None:
    expected = np.log(1 + np.exp(NEGATIVES - POSITIVES))
    np.testing.assert_allclose(result(BPR(), scored()), expected, rtol=1e-5, atol=1e-6)


def test_cross_entropy_is_that_of_two_labels() -> None:
    share_of_positive, share_of_negative = 1 / (1 + np.exp(-POSITIVES)), 1 / (1 + np.exp(-NEGATIVES))
    expected = -np.log(share_of_positive) - np.log(1 - share_of_negative)
    np.testing.assert_allclose(result(BinaryCrossEntropy(), scored()), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("each", [1.0, 37.5])
@pytest.mark.parametrize("sharpness", [(4.0, 2.0, 0.5), (5.0, 5.0, 5.0)])
def test_the_softmax_counts_each_candidate_for_those_it_represents(each: float, sharpness: tuple[float, ...]) -> None:
    """Minus the log of the positive's share among itself and the pool, divided by the sharpness."""
    negatives = np.where(np.arange(POOL) % 5 == 2, -np.inf, POOLED)  # some are seen
    sharp = np.array(sharpness)[:, None]
    own, others = np.exp(sharp * POSITIVES), each * np.exp(sharp[..., None] * negatives)
    given = scored(negatives, inverse_temperatures=torch.tensor(sharpness), items_per_candidate=each)
    expected = -np.log(own / (own + others.sum(-1))) / sharp
    np.testing.assert_allclose(result(SampledSoftmax(), given), expected, rtol=1e-5, atol=1e-6)
    shares = others / (own + others.sum(-1))[..., None]
    np.testing.assert_allclose(SampledSoftmax().shares(given).numpy(), shares, rtol=1e-4, atol=1e-6)


def test_shares_are_the_slopes_of_the_scores() -> None:
    """By autograd: how fast the loss rises with a candidate's score, also in the softmax's closed form."""
    given = scored(POOLED, items_per_candidate=3.0)
    given.negatives.requires_grad_()
    (slopes,) = torch.autograd.grad(SampledSoftmax()(given).sum(), given.negatives)
    for shares in (SampledSoftmax().shares(given), PoolLoss.shares(SampledSoftmax(), given)):
        np.testing.assert_allclose(shares.detach().numpy(), slopes.numpy(), rtol=1e-4, atol=1e-6)


OF_USERS = np.array([4, 0, 4, 7, 7, 7, 2, 1, 4, 0, 3, 9])


@pytest.mark.parametrize("ratio", [1.0, 1.7])
@pytest.mark.parametrize("of_users", [OF_USERS, np.arange(BATCH)], ids=["shared", "own"])
def test_the_bilateral_softmax_has_log_expectation_exp_on_both_sides(ratio: float, of_users: Array) -> None:
    """Minus t' * log of the mean of exp(s / t') over a user's positives, plus t times that of the pool with t."""
    negatives = np.where(np.arange(POOL) % 5 == 2, -np.inf, POOLED)  # some are seen
    t = 1 / np.array([4.0, 2.0, 0.5])[:, None]
    own = np.exp(POSITIVES / (ratio * t))
    means = np.stack([own[:, of_users == user].mean(axis=1) for user in of_users], axis=1)
    expected = t * np.log(np.exp(negatives / t[..., None]).mean(axis=-1)) - ratio * t * np.log(means)
    given = scored(negatives, user_index=torch.from_numpy(of_users))
    np.testing.assert_allclose(result(BilateralSoftmax(None, 0.3, ratio), given), expected, rtol=1e-5, atol=1e-5)


def test_the_bilateral_softmax_has_the_gradients_of_its_formula() -> None:
    """By finite differences, in float64."""
    positives, negatives = (torch.from_numpy(part).requires_grad_() for part in (POSITIVES, POOLED))
    given, users = scored(POOLED), torch.from_numpy(OF_USERS)

    def loss(own: Any, others: Any) -> Any:
        inverse = given.inverse_temperatures.double()
        of = Scored(given.users, given.items, WIDTHS, own, others, inverse, 1.0, users)
        return BilateralSoftmax(temperature_ratio=1.7)(of)

    assert torch.autograd.gradcheck(loss, (positives, negatives))
    shares = BilateralSoftmax().shares(given)
    np.testing.assert_allclose(shares.sum(dim=-1).numpy(), 1.0, rtol=1e-5)  # a softmax over the pool alone


def test_a_pool_of_seen_items_alone_has_no_negative_side() -> None:
    given = scored(np.full_like(POOLED, -1e30))
    np.testing.assert_allclose(result(BilateralSoftmax(), given), -POSITIVES, rtol=1e-5)
    assert not BilateralSoftmax().shares(given).any()


def test_the_temperature_divides_the_scores() -> None:
    """A temperature is the inverse of the sharpness at every width."""
    from nestrec.training.trainer import Trainer
    from tests.training.worlds import tiny

    objective = Trainer(widths=WIDTHS, loss=SampledSoftmax(temperature=0.2)).resolve(tiny()).objective
    np.testing.assert_allclose(objective.inverse_temperatures(), 5.0, rtol=1e-6)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
def test_alignment_and_uniformity_by_explicit_pairs(gamma: float) -> None:
    expected = []
    for width in WIDTHS:
        users, items = (part[:, :width] / np.linalg.norm(part[:, :width], axis=1)[:, None] for part in (USERS, ITEMS))
        alignment = ((users - items) ** 2).sum(1)
        spreads = []
        for side in (users, items):
            pairs = [(a, b) for a in range(BATCH) for b in range(a)]
            spreads.append(np.log(np.mean([np.exp(-2 * ((side[a] - side[b]) ** 2).sum()) for a, b in pairs])))
        expected.append(alignment + gamma * sum(spreads) / 2)
    np.testing.assert_allclose(result(DirectAU(gamma), scored()), expected, rtol=1e-5, atol=1e-5)


def test_uniformity_of_a_batch_of_one_is_nothing() -> None:
    """Without pairs the term of uniformity is 0: the log of an empty mean would be NaN."""
    one = torch.tensor([[3.0, 4.0]])
    given = Scored(one, -one, (2,), torch.zeros(1, 1), torch.zeros(1, 1), torch.ones(1), 1.0)
    assert DirectAU()(given).tolist() == [[pytest.approx(4.0)]]


def test_directau_does_not_see_lengths() -> None:
    given = scored()
    longer = Scored(7 * given.users, 0.1 * given.items, WIDTHS, *(given.positives, given.negatives), torch.ones(3), 1.0)
    np.testing.assert_allclose(result(DirectAU(), longer), result(DirectAU(), given), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("size", [89.0, 1e4])
@pytest.mark.parametrize(
    "loss", [BPR(), BinaryCrossEntropy(), SampledSoftmax(), BilateralSoftmax(), DirectAU()], ids=repr
)
def test_loss_and_gradients_are_finite_at_large_scores(loss: Loss, size: float) -> None:
    """Far above and far below; log(1 + exp(x)) would be infinite in float32 from x = 89."""
    signs = np.where(np.arange(BATCH) % 2, 1.0, -1.0)[None].repeat(3, 0)
    pooled = isinstance(loss, SampledSoftmax)
    negatives = np.broadcast_to(-size * signs[..., None], (3, BATCH, POOL)).copy() if pooled else -size * signs
    given = scored(negatives, size * signs)
    leaves = [leaf.requires_grad_() for leaf in (given.users, given.items, given.positives, given.negatives)]
    given.users.data.mul_(np.sqrt(size))
    given.items.data.mul_(np.sqrt(size))
    losses = loss(given)
    assert losses.shape == (3, BATCH)
    assert bool(torch.isfinite(losses).all())
    gradients = torch.autograd.grad(losses.sum(), leaves, allow_unused=True)
    assert any(gradient is not None for gradient in gradients)
    assert all(bool(torch.isfinite(gradient).all()) for gradient in gradients if gradient is not None)
    if not isinstance(loss, DirectAU):
        assert float(losses.detach().max()) >= size  # what is wrong by so much costs so much

"""Losses of a level. A loss is a value; its formula takes the scores of all levels at once.

Pairwise: Rendle et al. 2009 (BPR). Sampled softmax: Jean et al. 2015. Bilateral softmax: Wu et al. 2024 (BSL, arXiv
2312.12882). Alignment and uniformity: Wang et al. 2022 (DirectAU, arXiv 2206.12811). Nested, with a negative per level:
Lai et al. 2024, arXiv 2406.07432.

A new loss for the torch engine is a subclass of `PairLoss` or `PoolLoss` with a `__call__`, entered in `LOSSES` at the
end; the command line takes its options from its fields, as in samplers.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, ClassVar, Protocol

from nestrec.arguments import check_range
from nestrec.field_docs import show_field_docs

if TYPE_CHECKING:
    import torch

    from nestrec.training.data_defaults import DataDefaults

_ALL_MASKED = -1e20  # the logarithm of a sum over a pool of which the user has seen every item is below


class Negatives(Enum):
    """Kinds of negatives that a loss needs and a sampler gives."""

    ONE = "one item per level"
    POOL = "a whole pool"
    NONE = "none"


@dataclass(frozen=True)
class Scored:
    """Input of a loss: the scores of a batch at every level, and its vectors. Tensors under autograd."""

    users: torch.Tensor  # (batch, embedding_size)
    items: torch.Tensor  # (batch, embedding_size), of the positives
    widths: tuple[int, ...]
    positives: torch.Tensor  # (n_levels, batch)
    negatives: torch.Tensor  # (n_levels, batch), or (n_levels, batch, n_candidates) of a pool, -1e30 if seen
    inverse_temperatures: torch.Tensor  # (n_levels,) factors of the scores in a softmax
    items_per_candidate: float  # items of the catalogue that a candidate of the pool stands for
    user_index: torch.Tensor | None = None  # (batch,) of each positive; None: every positive has a user of its own


class Loss(Protocol):
    """A loss of every level."""

    @property
    def takes(self) -> Negatives:
        """Kind of negatives it needs."""

    @property
    def data_defaults(self) -> DataDefaults:
        """Data-dependent defaults of the other options."""

    @property
    def coupling(self) -> float:
        """Factor per level of distance on a wider level's loss for a narrower block of coordinates."""

    @property
    def temperature(self) -> float | None:
        """Divisor of the scores in a softmax. None: by the width."""

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch): each level's loss of each positive."""


@dataclass(frozen=True)
class SummedLoss:
    """A loss whose weighted sum over the levels trains all coordinates alike."""

    @property
    def coupling(self) -> float:
        """1, as in the paper."""
        return 1.0

    @property
    def temperature(self) -> float | None:
        """None."""
        return None


@dataclass(frozen=True)
class PairLoss(SummedLoss):
    """A loss of a positive against one negative per level."""

    takes: ClassVar[Negatives] = Negatives.ONE
    uses_scores_only: ClassVar[bool] = False
    """Whether the formula does not use the vectors of `Scored`, which are then empty on a GPU, for speed.

    It describes the `__call__` of the same class; a subclass with its own formula has to override it too.
    """

    @property
    def data_defaults(self) -> DataDefaults:
        """Defaults of pairs."""
        from nestrec.training.data_defaults import PAIRWISE

        return PAIRWISE

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        raise NotImplementedError


@dataclass(frozen=True)
class BPR(PairLoss):
    """Bayesian personalised ranking: softplus of the negative's minus the positive's score, as in the paper.

    >>> BPR().takes
    <Negatives.ONE: 'one item per level'>
    """

    uses_scores_only: ClassVar[bool] = True

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        from torch.nn.functional import softplus  # not log(1 + exp(x)): that is infinite in float32 from x = 89

        return softplus(scored.negatives - scored.positives)


@dataclass(frozen=True)
class BinaryCrossEntropy(PairLoss):
    """Binary cross-entropy of the logistic function of the scores, with labels 1 for positives and 0 for negatives.

    >>> BinaryCrossEntropy().takes
    <Negatives.ONE: 'one item per level'>
    """

    uses_scores_only: ClassVar[bool] = True

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        from torch.nn.functional import softplus

        return softplus(-scored.positives) + softplus(scored.negatives)


@dataclass(frozen=True)
class PoolLoss(SummedLoss):
    """A loss of a positive against all items of a pool, at every level.

    Scores of already seen items are masked with -1e30. Losses dominated by high scores ignore them; a mean over the
    pool would not.
    """

    takes: ClassVar[Negatives] = Negatives.POOL

    @property
    def data_defaults(self) -> DataDefaults:
        """Defaults of the softmax."""
        from nestrec.training.data_defaults import SOFTMAX

        return SOFTMAX

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        raise NotImplementedError

    def shares(self, scored: Scored) -> torch.Tensor:
        """Return the gradients of the candidates' scores, (n_levels, batch, n_candidates).

        They weight the L2 regularization of the candidates.
        """
        import torch

        with torch.enable_grad():
            negatives = scored.negatives.detach().requires_grad_(True)
            (slopes,) = torch.autograd.grad(self(replace(scored, negatives=negatives)).sum(), [negatives])
        return slopes


@show_field_docs
@dataclass(frozen=True)
class SampledSoftmax(PoolLoss):
    """The softmax over the whole catalogue at every level, estimated from a pool of items.

    `coupling` scales how strongly the losses of wider levels update a narrower block of dimensions: 1 gives a single
    loss summed over levels, 0 trains each block only for its own level; in between, a level's influence decays by
    `coupling` per level of distance, and narrow widths gain more than wide ones lose.

    >>> SampledSoftmax(temperature=0.2).takes
    <Negatives.POOL: 'a whole pool'>
    """

    temperature: float | None = None
    """Softmax temperature, by which scores are divided. None: 1/3 * (width / 64)^0.2."""
    coupling: float = 0.2
    """How strongly losses of wider widths update the dimensions of a narrower one, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_range("coupling", self.coupling, 0, 1, 0.2)
        if self.temperature is not None:
            check_range("temperature", self.temperature, 0.001, 1000, 0.2)

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch): log(1 + sum of exp(t * (negative - positive))) / t, t the inverse temperature."""
        from torch.nn.functional import softplus

        inverse = scored.inverse_temperatures[:, None]
        return softplus(self._others(scored) - inverse * scored.positives) / inverse

    def shares(self, scored: Scored) -> torch.Tensor:
        """Return each candidate's share of the softmax, (n_levels, batch, n_candidates), its score's gradient."""
        inverse = scored.inverse_temperatures[:, None]
        logits = self._logits(scored)
        return (logits - logits.logsumexp(-1).logaddexp(inverse * scored.positives)[..., None]).exp()

    def _others(self, scored: Scored) -> torch.Tensor:
        return self._logits(scored).logsumexp(-1)

    def _logits(self, scored: Scored) -> torch.Tensor:
        from math import log

        return scored.inverse_temperatures[:, None, None] * scored.negatives + log(scored.items_per_candidate)


@show_field_docs
@dataclass(frozen=True)
class BilateralSoftmax(SampledSoftmax):
    """Bilateral softmax (BSL): log-expectation-exp over the positives of a user as over the negatives.

    Per level and user: t * log E[exp(s_j / t)] over the pool - t' * log E[exp(s_i / t')] over the user's positives in
    the batch, where t' = t * temperature_ratio. Positives with low scores, which may be noise, weigh less. Scores are
    raw inner products; the paper's are cosines. A large batch has more positives of a user.

    >>> BilateralSoftmax(temperature=0.2, temperature_ratio=2.0).temperature_ratio
    2.0
    """

    temperature_ratio: float = 1.0
    """Temperature of the positives divided by that of the negatives."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        check_range("temperature_ratio", self.temperature_ratio, 0.001, 1000, 1.0)

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch): the loss of the positive's user, the same for all of a user's positives."""
        from math import log

        inverse = scored.inverse_temperatures[:, None]
        others = (scored.inverse_temperatures[:, None, None] * scored.negatives).logsumexp(-1)
        others = (others - log(scored.negatives.shape[-1])).masked_fill(others < _ALL_MASKED, 0.0)
        inverse_of_positives = inverse / self.temperature_ratio
        own = _log_mean_exp_by_user(inverse_of_positives * scored.positives, scored.user_index)
        return others / inverse - own / inverse_of_positives

    def shares(self, scored: Scored) -> torch.Tensor:
        """Return the gradients of the candidates' scores, by autograd."""
        return PoolLoss.shares(self, scored)


def _log_mean_exp_by_user(scores: torch.Tensor, user_index: torch.Tensor | None) -> torch.Tensor:
    """Return log of the mean of exp(scores) over the positives of the same user; scores are (n_levels, batch)."""
    if user_index is None:
        return scores
    import torch

    users, row = torch.unique(user_index, return_inverse=True)
    rows = row.expand_as(scores)
    empty = scores.new_zeros((len(scores), len(users)))
    highest = empty.scatter_reduce(1, rows, scores.detach(), "amax", include_self=False).gather(1, rows)
    sums = empty.scatter_add(1, rows, (scores - highest).exp())
    means = sums / row.bincount(minlength=len(users))
    result: torch.Tensor = means.gather(1, rows).log() + highest
    return result


@show_field_docs
@dataclass(frozen=True)
class DirectAU(SummedLoss):
    """Alignment of users with their items and uniformity of each side, on normalised prefixes; no negatives.

    Per level: mean |u - i|^2 + gamma * (uniformity of users + uniformity of items) / 2, where uniformity is the log of
    the mean of exp(-2 |x - y|^2) over pairs of the batch. Scores remain raw inner products.

    >>> DirectAU(gamma=0.5).takes
    <Negatives.NONE: 'none'>
    """

    gamma: float = 1.0
    """Weight of uniformity beside alignment."""

    takes: ClassVar[Negatives] = Negatives.NONE

    def __post_init__(self) -> None:
        """Check the value."""
        check_range("gamma", self.gamma, 0, 1000, 1.0)

    @property
    def data_defaults(self) -> DataDefaults:
        """Defaults of losses of normalised vectors."""
        from nestrec.training.data_defaults import DIRECT

        return DIRECT

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch): alignment is each positive's own, uniformity the batch's, the same for all."""
        import torch
        from torch.nn.functional import normalize

        levels = []
        for width in scored.widths:
            users, items = normalize(scored.users[:, :width]), normalize(scored.items[:, :width])
            spread = (_uniformity(users) + _uniformity(items)) / 2
            levels.append((users - items).square().sum(dim=-1) + self.gamma * spread)
        return torch.stack(levels)


def _uniformity(vectors: torch.Tensor) -> torch.Tensor:
    """Return the log of the mean of exp(-2 |x - y|^2) over pairs of vectors of length 1, where |x - y|^2 = 2 - 2 xy."""
    n = len(vectors)
    if n < 2:
        return vectors.new_zeros(())
    potentials = (4 * (vectors @ vectors.T) - 4).exp()
    return ((potentials.sum() - potentials.diagonal().sum()) / (n * (n - 1))).log()


LOSSES: dict[str, type] = {
    "softmax": SampledSoftmax,
    "bsl": BilateralSoftmax,
    "bpr": BPR,
    "bce": BinaryCrossEntropy,
    "directau": DirectAU,
}

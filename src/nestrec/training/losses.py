"""What each level of a nest minimises. A loss is a value; its formula takes the scores of all levels at once.

Pairwise: Rendle et al. 2009 (BPR). Sampled softmax: Jean et al. 2015. Alignment and uniformity: Wang et al. 2022
(DirectAU, arXiv 2206.12811). Nested, with a negative per level: Lai et al. 2024, arXiv 2406.07432.

A new loss for the torch engine is a subclass of `PairLoss` or `PoolLoss` with a `__call__`, entered in `LOSSES` at the
end; the command line takes its options from its fields, as in samplers.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Protocol

from nestrec.arguments import check_range

if TYPE_CHECKING:
    import torch

    from nestrec.training.data_defaults import DataDefaults


class Negatives(Enum):
    """What a loss sets a positive against, and what a sampler gives."""

    ONE = "one item per level"
    POOL = "a whole pool"
    NONE = "none"


@dataclass(frozen=True)
class Scored:
    """A batch as a loss sees it: scores of every level, or the vectors themselves. Tensors under autograd."""

    users: torch.Tensor  # (batch, embedding_size)
    items: torch.Tensor  # (batch, embedding_size), of the positives
    widths: tuple[int, ...]
    positives: torch.Tensor  # (n_levels, batch)
    negatives: torch.Tensor  # (n_levels, batch), or (n_levels, batch, n_candidates) of a pool; -1e30 where seen
    inverse_temperatures: torch.Tensor  # (n_levels,) what a softmax multiplies scores by
    items_per_candidate: float  # items that one of the pool stands for


class Loss(Protocol):
    """What a level minimises."""

    @property
    def takes(self) -> Negatives:
        """What it sets a positive against."""

    @property
    def data_defaults(self) -> DataDefaults:
        """What the data decide where the user does not."""

    @property
    def coupling(self) -> float:
        """What the loss of the next wider level weighs for a block of coordinates beside the narrower one's."""

    @property
    def temperature(self) -> float | None:
        """What scores are divided by in a softmax; None: by the width."""

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch): each level's loss of each positive."""


@dataclass(frozen=True)
class OneForAll:
    """A loss whose weighted sum over the levels all coordinates minimise."""

    @property
    def coupling(self) -> float:
        """1: one loss for all coordinates, as in the paper."""
        return 1.0

    @property
    def temperature(self) -> float | None:
        """None: there is no softmax."""
        return None


@dataclass(frozen=True)
class PairLoss(OneForAll):
    """A loss of a positive against one negative per level."""

    @property
    def takes(self) -> Negatives:
        """One item per level."""
        return Negatives.ONE

    @property
    def data_defaults(self) -> DataDefaults:
        """Those of pairs."""
        from nestrec.training.data_defaults import PAIRWISE

        return PAIRWISE

    @property
    def uses_scores_only(self) -> bool:
        """Whether its formula leaves the vectors of `Scored` alone; a GPU is faster then, and leaves them empty.

        It speaks for the formula of the same class; a subclass with one of its own has to say so again.
        """
        return False

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        raise NotImplementedError


@dataclass(frozen=True)
class BPR(PairLoss):
    """Softplus of how far the negative's score is above the positive's: the paper's.

    >>> BPR().takes
    <Negatives.ONE: 'one item per level'>
    """

    @property
    def uses_scores_only(self) -> bool:
        """Yes."""
        return True

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        from torch.nn.functional import softplus  # not log(1 + exp(x)): that is infinite in float32 from x = 89

        return softplus(scored.negatives - scored.positives)


@dataclass(frozen=True)
class BinaryCrossEntropy(PairLoss):
    """A positive is to be told from noise, a negative as noise, each by the logistic function of its score.

    >>> BinaryCrossEntropy().takes
    <Negatives.ONE: 'one item per level'>
    """

    @property
    def uses_scores_only(self) -> bool:
        """Yes."""
        return True

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        from torch.nn.functional import softplus

        return softplus(-scored.positives) + softplus(scored.negatives)


@dataclass(frozen=True)
class PoolLoss(OneForAll):
    """A loss of a positive against all items of a pool, at every level.

    Scores of items that the user has seen are -1e30: of no effect on what heeds high ones alone, a disaster to a mean.
    """

    @property
    def takes(self) -> Negatives:
        """A whole pool."""
        return Negatives.POOL

    @property
    def data_defaults(self) -> DataDefaults:
        """Those of the softmax."""
        from nestrec.training.data_defaults import SOFTMAX

        return SOFTMAX

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch)."""
        raise NotImplementedError

    def shares(self, scored: Scored) -> torch.Tensor:
        """Return the slopes of the candidates' scores, (n_levels, batch, n_candidates).

        A candidate is held back by as much as it is pushed.
        """
        import torch

        with torch.enable_grad():
            negatives = scored.negatives.detach().requires_grad_(True)
            (slopes,) = torch.autograd.grad(self(replace(scored, negatives=negatives)).sum(), [negatives])
        return slopes


@dataclass(frozen=True)
class SampledSoftmax(PoolLoss):
    """The softmax over the whole catalogue at every level, estimated from a pool of items.

    With `coupling` 1 all coordinates minimise one loss, the weighted sum over the levels, and narrow prefixes serve the
    wide widths first. Below 1 the coordinates that a level adds heed a wider level less, by this factor for each level
    between; with 0 they heed their own alone. In between, narrow widths gain more than wide ones lose.

    >>> SampledSoftmax(temperature=0.2).takes
    <Negatives.POOL: 'a whole pool'>
    """

    temperature: float | None = None
    """Softmax temperature, by which scores are divided. None: 1/3 * (width / 64)^0.6."""
    coupling: float = 0.3
    """How strongly losses of wider widths update the dimensions of a narrower one, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_range("coupling", self.coupling, 0, 1, 0.3)
        if self.temperature is not None:
            check_range("temperature", self.temperature, 0.001, 1000, 0.2)

    def __call__(self, scored: Scored) -> torch.Tensor:
        """Return (n_levels, batch): log(1 + sum of exp(sharpness * (negative - positive))) / sharpness."""
        from torch.nn.functional import softplus

        sharp = scored.inverse_temperatures[:, None]
        return softplus(self._others(scored) - sharp * scored.positives) / sharp

    def shares(self, scored: Scored) -> torch.Tensor:
        """Return each candidate's share of the softmax, (n_levels, batch, n_candidates), which is its slope."""
        sharp = scored.inverse_temperatures[:, None]
        logits = self._logits(scored)
        return (logits - logits.logsumexp(-1).logaddexp(sharp * scored.positives)[..., None]).exp()

    def _others(self, scored: Scored) -> torch.Tensor:
        return self._logits(scored).logsumexp(-1)

    def _logits(self, scored: Scored) -> torch.Tensor:
        from math import log

        return scored.inverse_temperatures[:, None, None] * scored.negatives + log(scored.items_per_candidate)


@dataclass(frozen=True)
class DirectAU(OneForAll):
    """Alignment of users with their items and uniformity of each side, on prefixes scaled to length 1; no negatives.

    Per level: mean |u - i|^2 + gamma * (uniformity of users + uniformity of items) / 2, where uniformity is the log of
    the mean of exp(-2 |x - y|^2) over pairs of the batch. Scores remain raw inner products.

    >>> DirectAU(gamma=0.5).takes
    <Negatives.NONE: 'none'>
    """

    gamma: float = 1.0
    """Weight of uniformity beside alignment."""

    def __post_init__(self) -> None:
        """Check the number."""
        check_range("gamma", self.gamma, 0, 1000, 1.0)

    @property
    def takes(self) -> Negatives:
        """None."""
        return Negatives.NONE

    @property
    def data_defaults(self) -> DataDefaults:
        """Its own."""
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
    "bpr": BPR,
    "bce": BinaryCrossEntropy,
    "directau": DirectAU,
}

"""How negatives are chosen from items the user has not interacted with: per level, by that level's prefix, or shared.

Dynamic: Zhang et al. 2013. DNS(M, N): Shi et al. 2023. Hardness-adaptive: Lai et al. 2024 (AHNS, arXiv 2401.05191); per
level it is LHANS. Curriculum: Chu et al. 2021. Mixed: Huang et al. 2021 (MixGCF). Disentangled: Lai et al. 2023 (DENS).
Per level (matryoshka negative sampling): Lai et al. 2024, arXiv 2406.07432.

A sampler is a value. A new one for the torch engine is a subclass of `ChoosingSampler` with a `choose`, entered in
`SAMPLERS` at the end. The command line takes its options from its fields: the type, the default, the sentence below,
and `option` in the metadata where the option has another name, or None where there is no option.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import isfinite
from typing import TYPE_CHECKING, Protocol

from nestrec.arguments import real_number, whole_number
from nestrec.errors import OptionError
from nestrec.kernels.training.tile_sizes import TILE
from nestrec.training.losses import Negatives

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nestrec.training.autograd.pool import Chosen, Pool

LARGEST_POOL = 1024


class Sampler(Protocol):
    """A rule for negatives."""

    @property
    def n_candidates(self) -> int | None:
        """Candidates drawn per level and positive; None lets the data decide."""

    @property
    def gives(self) -> Negatives:
        """What it sets a positive against."""


@dataclass(frozen=True)
class PoolSampler:
    """All of `n_candidates` items, which neighbouring positives and all levels share.

    Every level weighs the same items by its own prefix, so a level's negatives are its own.

    >>> PoolSampler(n_candidates=64).gives
    <Negatives.POOL: 'a whole pool'>
    """

    n_candidates: int | None = field(default=None, metadata={"option": "candidates"})
    """Candidates drawn per width and interaction. None: by the data."""

    def __post_init__(self) -> None:
        """Check the number."""
        n = self.n_candidates
        if n is not None and not (1 <= whole_number("n_candidates", n, TILE) <= LARGEST_POOL and n % TILE == 0):
            raise OptionError(
                f"{n} candidates cannot share a softmax; give a multiple of {TILE} up to {LARGEST_POOL}, as in 64"
            )

    @property
    def gives(self) -> Negatives:
        """A whole pool."""
        return Negatives.POOL


@dataclass(frozen=True)
class NoSampler:
    """No negatives, for losses that need none.

    >>> NoSampler().n_candidates
    0
    """

    @property
    def n_candidates(self) -> int:
        """None are drawn."""
        return 0

    @property
    def gives(self) -> Negatives:
        """None."""
        return Negatives.NONE


@dataclass(frozen=True)
class ChoosingSampler:
    """One negative of `n_candidates` drawn uniformly: a pool and a choice per level, or one that all levels share.

    With `shared` one pool is drawn and the choice falls at the full width: the ablation without negatives per level.
    """

    n_candidates: int | None = field(default=None, metadata={"option": "candidates"})
    """Candidates drawn per width and interaction. None: by the data."""
    shared: bool = False
    """One negative for all widths, chosen at the widest."""

    def __post_init__(self) -> None:
        """Check the number."""
        if (
            self.n_candidates is not None
            and not 1 <= whole_number("n_candidates", self.n_candidates, 16) <= LARGEST_POOL
        ):
            raise OptionError(
                f"{self.n_candidates} candidates cannot be drawn; give 1 to {LARGEST_POOL}, as in 16, "
                "or leave it out to let the size of the catalogue decide"
            )

    @property
    def gives(self) -> Negatives:
        """One item per level."""
        return Negatives.ONE

    @property
    def per_layer(self) -> bool:
        """Whether each layer of a graph has a choice of its own."""
        return False

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Return what is kept of each pool; `module` is what `module` gave."""
        raise NotImplementedError

    def module(self, embedding_size: int) -> nn.Module | None:
        """Return parameters of its own, trained with the vectors; None where it has none."""
        return None

    def own_loss(
        self,
        module: nn.Module | None,
        users: torch.Tensor,  # (n_layers, batch, embedding_size)
        positives: torch.Tensor,  # the same
        negatives: torch.Tensor,  # (n_layers, batch, n_pools, embedding_size)
    ) -> torch.Tensor | None:
        """Return (batch,): what it adds to the loss, for its parameters to learn from; None where it has none."""
        return None


@dataclass(frozen=True)
class DynamicSampler(ChoosingSampler):
    """The highest-scoring candidate, or any one of the `n_hardest` highest.

    >>> DynamicSampler(n_candidates=16)
    DynamicSampler(n_candidates=16, shared=False, n_hardest=1)
    """

    n_hardest: int = field(default=1, metadata={"option": "hardest"})
    """Number of highest-scoring candidates to choose from at random."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        super().__post_init__()
        highest = LARGEST_POOL if self.n_candidates is None else self.n_candidates
        if not 1 <= whole_number("n_hardest", self.n_hardest, 1) <= highest:
            raise OptionError(
                f"the {self.n_hardest} hardest cannot be told among {highest} candidates; give 1 to {highest}, as in 1"
            )

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Keep the first, or a random one of the first few, by score."""
        if self.n_hardest == 1:
            return pool.kept(pool.scores.argmax(dim=-1))
        highest = pool.scores.topk(min(self.n_hardest, pool.scores.shape[-1]), dim=-1).indices
        picked = pool.draws.below(highest.shape[-1], *highest.shape[:-1])
        return pool.kept(highest.gather(-1, picked[..., None])[..., 0])


@dataclass(frozen=True)
class UniformSampler(ChoosingSampler):
    """Any one item, drawn uniformly.

    >>> UniformSampler().n_candidates
    1
    """

    n_candidates: int | None = field(default=1, metadata={"option": None})

    def __post_init__(self) -> None:
        """Check that there is nothing to choose from."""
        if self.n_candidates != 1:
            raise OptionError(f"uniform sampling draws 1 item, not {self.n_candidates}; leave n_candidates out")

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Keep what was drawn."""
        return pool.kept(pool.scores.new_zeros(pool.scores.shape[:-1]).long())


@dataclass(frozen=True)
class AdaptiveSampler(ChoosingSampler):
    """As hard as the positive allows: the score nearest to beta * (the positive's score + alpha)^(power + 1).

    The better a positive is learned already, the easier its negative; so a false negative does little harm.

    >>> AdaptiveSampler(n_candidates=32).power
    -2
    """

    alpha: float = 1.0
    """Constant added to the score of the positive."""
    beta: float = 0.1
    """Factor of the score aimed at."""
    power: int = -2
    """Exponent of the score aimed at, less 1."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        for name, example in (("alpha", 1.0), ("beta", 0.1)):
            if not isfinite(real_number(name, getattr(self, name), example)):
                raise OptionError(f"{name} must be finite, got {getattr(self, name)} (for example {example})")
        whole_number("power", self.power, -2)

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Keep the nearest to what the positive calls for."""
        wanted = self.beta * (pool.positive_scores + self.alpha).pow(self.power + 1)
        return pool.kept((pool.scores - wanted[..., None]).abs().argmin(dim=-1))


@dataclass(frozen=True)
class CurriculumSampler(ChoosingSampler):
    """The highest-scoring of fewer and fewer candidates: all in the first epoch, a share that falls to the last.

    >>> CurriculumSampler(n_candidates=16).shared
    False
    """

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Keep the highest of the share that is left."""
        n = max(1, (pool.epochs - pool.epoch) * pool.scores.shape[-1] // pool.epochs)
        return pool.kept(pool.scores[..., :n].argmax(dim=-1))


@dataclass(frozen=True)
class MixedSampler(ChoosingSampler):
    """A vector between the positive's and the highest-scoring candidate's, mixed anew in each layer of a graph.

    The share of the positive is uniform in [0, 1), one for each layer; the vector that is trained against belongs to no
    item.

    >>> MixedSampler(n_candidates=16).per_layer
    True
    """

    @property
    def per_layer(self) -> bool:
        """Each layer has its own choice."""
        return True

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Keep the highest of each layer, and a share of the positive."""
        layer_scores = pool.layer_scores()  # (batch, n_pools, n_layers, n_candidates)
        share = pool.draws.uniform(*layer_scores.shape[:-1])
        return pool.kept(layer_scores.argmax(dim=-1), share_of_positive=share)


@dataclass(frozen=True)
class DisentangledSampler(ChoosingSampler):
    """The candidate that is near in what matters little: learned gates part each vector into relevant and irrelevant.

    A candidate's score is that of (1 - alpha) times its vector less the relevant part, in each layer of a graph. The
    gates learn from four pairwise losses among the parts, which are added `gamma` times. All levels share the negative,
    as in the paper's comparison.

    >>> DisentangledSampler(n_candidates=16).shared
    True
    """

    shared: bool = field(default=True, metadata={"option": None})
    alpha: float = 0.2
    """Share of a candidate's vector left out of its score, 0 to 1."""
    gamma: float = 0.5
    """Weight of the losses that train the gates."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if not self.shared:
            raise OptionError("gates are learned on whole vectors, so levels share the negative; leave shared out")
        if (
            not 0 <= real_number("alpha", self.alpha, 0.2) <= 1
            or not 0 <= real_number("gamma", self.gamma, 0.5) <= 1000
        ):
            raise OptionError(
                f"alpha {self.alpha} must be in [0, 1] and gamma {self.gamma} in [0, 1000]; as in 0.2, 0.5"
            )

    @property
    def per_layer(self) -> bool:
        """Each layer has its own choice."""
        return True

    def module(self, embedding_size: int) -> nn.Module:
        """Return the gates."""
        from nestrec.training.autograd.gates import Gates

        return Gates(embedding_size)

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Keep, in each layer, the highest score of what the gate leaves."""
        from nestrec.training.autograd.gates import Gates

        assert isinstance(module, Gates)
        users, positives, items = pool.vectors()
        scores = module.scores(users, positives, items, pool.items[:, 0], 1 - self.alpha)
        return pool.kept(scores.argmax(dim=-1).T[:, None, :])

    def own_loss(
        self, module: nn.Module | None, users: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor
    ) -> torch.Tensor:
        """Return (batch,): the four losses among the parts, averaged, times gamma."""
        from nestrec.training.autograd.gates import Gates

        assert isinstance(module, Gates)
        return self.gamma * module.losses(users, positives, negatives[:, :, 0])


SAMPLERS: dict[str, type] = {
    "pool": PoolSampler,
    "uniform": UniformSampler,
    "dynamic": DynamicSampler,
    "adaptive": AdaptiveSampler,
    "curriculum": CurriculumSampler,
    "mixed": MixedSampler,
    "disentangled": DisentangledSampler,
}

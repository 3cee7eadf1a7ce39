"""Negative samplers: which items without interaction a positive is trained against, per level or shared by all.

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
from typing import TYPE_CHECKING, ClassVar, Protocol

from nestrec.arguments import check_integer, check_number, check_range
from nestrec.errors import OptionError
from nestrec.field_docs import show_field_docs
from nestrec.kernels.training.tile_sizes import TILE
from nestrec.training.losses import Negatives

if TYPE_CHECKING:
    import torch
    from torch import nn

    from nestrec.training.autograd.pool import Chosen, Pool

LARGEST_POOL = 1024


class Sampler(Protocol):
    """A negative sampler."""

    @property
    def n_candidates(self) -> int | None:
        """Candidates drawn per level and positive. None: depends on the data."""

    @property
    def gives(self) -> Negatives:
        """Kind of negatives."""


@show_field_docs
@dataclass(frozen=True)
class PoolSampler:
    """Use all of `n_candidates` items, drawn uniformly and shared by neighbouring positives and all levels.

    Every level scores these items by its own prefix, so the hard negatives of a level are its own.

    >>> PoolSampler(n_candidates=64).gives
    <Negatives.POOL: 'a whole pool'>
    """

    n_candidates: int | None = field(default=None, metadata={"option": "candidates"})
    """Candidates drawn per width and interaction. None: depends on the data."""

    gives: ClassVar[Negatives] = Negatives.POOL

    def __post_init__(self) -> None:
        """Check the number of candidates."""
        n = self.n_candidates
        if n is not None and not (1 <= check_integer("n_candidates", n, TILE) <= LARGEST_POOL and n % TILE == 0):
            raise OptionError(
                f"n_candidates of a pool must be a multiple of {TILE} up to {LARGEST_POOL}, got {n} (for example 64)",
                option="n_candidates",
            )


@dataclass(frozen=True)
class NoSampler:
    """Use no negatives, for losses that need none.

    >>> NoSampler().n_candidates
    0
    """

    n_candidates: ClassVar[int] = 0
    gives: ClassVar[Negatives] = Negatives.NONE


@dataclass(frozen=True)
class ChoosingSampler:
    """Choose one negative of `n_candidates` drawn uniformly, per level or shared by all levels.

    With `shared`, one pool is drawn and the choice is made at the full width: the ablation without negatives per level.
    """

    n_candidates: int | None = field(default=None, metadata={"option": "candidates"})
    """Candidates drawn per width and interaction. None: depends on the data."""
    shared: bool = False
    """One negative for all widths, chosen at the widest."""

    gives: ClassVar[Negatives] = Negatives.ONE
    per_layer: ClassVar[bool] = False
    """Whether to choose for each layer of a graph separately."""

    def __post_init__(self) -> None:
        """Check the number of candidates."""
        if (
            self.n_candidates is not None
            and not 1 <= check_integer("n_candidates", self.n_candidates, 16) <= LARGEST_POOL
        ):
            raise OptionError(
                f"n_candidates must be between 1 and {LARGEST_POOL}, got {self.n_candidates} (for example 16); without "
                "it, the size of the catalogue decides",
                option="n_candidates",
            )

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Return the negatives chosen from each pool; `module` is the result of the method `module`."""
        raise NotImplementedError

    def module(self, embedding_size: int) -> nn.Module | None:
        """Return parameters that are trained with the embeddings; None if there are none."""
        return None

    def own_loss(
        self,
        module: nn.Module | None,
        users: torch.Tensor,  # (n_layers, batch, embedding_size)
        positives: torch.Tensor,  # the same
        negatives: torch.Tensor,  # (n_layers, batch, n_pools, embedding_size)
    ) -> torch.Tensor | None:
        """Return the loss that trains the sampler's parameters, (batch,); None if there are none."""
        return None


@show_field_docs
@dataclass(frozen=True)
class DynamicSampler(ChoosingSampler):
    """Choose the highest-scoring candidate, or at random one of the `n_hardest` highest.

    >>> DynamicSampler(n_candidates=16)
    DynamicSampler(n_candidates=16, shared=False, n_hardest=1)
    """

    n_hardest: int = field(default=1, metadata={"option": "hardest"})
    """Number of highest-scoring candidates to choose from at random."""

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        highest = LARGEST_POOL if self.n_candidates is None else self.n_candidates
        if not 1 <= check_integer("n_hardest", self.n_hardest, 1) <= highest:
            raise OptionError(
                f"n_hardest must be between 1 and the number of candidates, {highest}; got {self.n_hardest}",
                option="n_hardest",
            )

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Choose the hardest, or a random one of the hardest."""
        if self.n_hardest == 1:
            return pool.choose(pool.scores.argmax(dim=-1))
        highest = pool.scores.topk(min(self.n_hardest, pool.scores.shape[-1]), dim=-1).indices
        picked = pool.draws.below(highest.shape[-1], *highest.shape[:-1])
        return pool.choose(highest.gather(-1, picked[..., None])[..., 0])


@show_field_docs
@dataclass(frozen=True)
class UniformSampler(ChoosingSampler):
    """Draw one item uniformly.

    >>> UniformSampler().n_candidates
    1
    """

    n_candidates: int | None = field(default=1, metadata={"option": None})

    def __post_init__(self) -> None:
        """Check that there is one candidate."""
        if self.n_candidates != 1:
            raise OptionError(
                f"n_candidates of uniform sampling must be 1, got {self.n_candidates}; leave it out",
                option="n_candidates",
            )

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Choose the only candidate."""
        return pool.choose(pool.scores.new_zeros(pool.scores.shape[:-1]).long())


@show_field_docs
@dataclass(frozen=True)
class AdaptiveSampler(ChoosingSampler):
    """Choose the candidate whose score is nearest to beta * (score of the positive + alpha)^(power + 1).

    The better a positive is learned, the easier its negative, so that false negatives do little harm.

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
            if not isfinite(check_number(name, getattr(self, name), example)):
                raise OptionError(
                    f"{name} must be finite, got {getattr(self, name)} (for example {example})", option=name
                )
        check_integer("power", self.power, -2)

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Choose the candidate nearest to the target score."""
        target = self.beta * (pool.positive_scores + self.alpha).pow(self.power + 1)
        return pool.choose((pool.scores - target[..., None]).abs().argmin(dim=-1))


@show_field_docs
@dataclass(frozen=True)
class CurriculumSampler(ChoosingSampler):
    """Choose the highest-scoring of the first candidates, whose number falls from all to one over the epochs.

    >>> CurriculumSampler(n_candidates=16).shared
    False
    """

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Choose the highest of this epoch's candidates."""
        n = max(1, (pool.epochs - pool.epoch) * pool.scores.shape[-1] // pool.epochs)
        return pool.choose(pool.scores[..., :n].argmax(dim=-1))


@show_field_docs
@dataclass(frozen=True)
class MixedSampler(ChoosingSampler):
    """Mix the positive with the highest-scoring candidate, in each layer of a graph separately.

    The share of the positive is uniform in [0, 1), one for each layer; the synthetic negative is no item's vector.

    >>> MixedSampler(n_candidates=16).per_layer
    True
    """

    per_layer: ClassVar[bool] = True

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Choose the highest of each layer, and draw the shares of the positive."""
        layer_scores = pool.layer_scores()  # (batch, n_pools, n_layers, n_candidates)
        share = pool.draws.uniform(*layer_scores.shape[:-1])
        return pool.choose(layer_scores.argmax(dim=-1), share_of_positive=share)


@show_field_docs
@dataclass(frozen=True)
class DisentangledSampler(ChoosingSampler):
    """Choose by the factors that matter little: learned gates split each vector into relevant and irrelevant factors.

    A candidate's score is that of (1 - alpha) times its vector minus the relevant part, in each layer of a graph. The
    gates learn from four pairwise losses among the parts, weighted by `gamma`. All levels share the negative, as in the
    paper's comparison.

    >>> DisentangledSampler(n_candidates=16).shared
    True
    """

    shared: bool = field(default=True, metadata={"option": None})
    alpha: float = 0.2
    """Share of a candidate's vector left out of its score, 0 to 1."""
    gamma: float = 0.5
    """Weight of the losses that train the gates."""

    per_layer: ClassVar[bool] = True

    def __post_init__(self) -> None:
        """Check the values."""
        super().__post_init__()
        if not self.shared:
            raise OptionError(
                "shared must be True for disentangled sampling, whose gates are learned on full vectors; leave it out",
                option="shared",
            )
        check_range("alpha", self.alpha, 0, 1, 0.2)
        check_range("gamma", self.gamma, 0, 1000, 0.5)

    def module(self, embedding_size: int) -> nn.Module:
        """Return the gates."""
        from nestrec.training.autograd.gates import Gates

        return Gates(embedding_size)

    def choose(self, pool: Pool, module: nn.Module | None) -> Chosen:
        """Choose, in each layer, the highest score of what the gate leaves."""
        from nestrec.training.autograd.gates import Gates

        assert isinstance(module, Gates)
        users, positives, items = pool.vectors()
        scores = module.scores(users, positives, items, pool.items[:, 0], 1 - self.alpha)
        return pool.choose(scores.argmax(dim=-1).T[:, None, :])

    def own_loss(
        self, module: nn.Module | None, users: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor
    ) -> torch.Tensor:
        """Return (batch,): gamma times the mean of the four losses among the parts."""
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

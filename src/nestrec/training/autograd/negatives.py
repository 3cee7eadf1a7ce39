"""The negatives of a batch: candidates drawn and scored on the device, and the sampler's choice among them."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import nn

from nestrec.kernels.training.tile_sizes import POOL_BLOCK
from nestrec.training.autograd import fused, levels
from nestrec.training.autograd.candidates import CandidateRequest, Candidates
from nestrec.training.autograd.config import EngineConfig
from nestrec.training.autograd.counter_rng import Draws, Number, below, random_bits
from nestrec.training.autograd.nested_loss import Batch
from nestrec.training.autograd.pool import Chosen, Pool
from nestrec.training.autograd.positives import Positives
from nestrec.training.autograd.scoring import Drawing
from nestrec.training.losses import Negatives
from nestrec.training.objective import Objective
from nestrec.training.samplers import ChoosingSampler


@dataclass(frozen=True)
class Moment:
    """Position of a batch in training, on which its random numbers depend."""

    epoch: int  # from 0
    key: Number  # random key of the epoch's candidates
    first: Number  # position of the batch in the epoch's order
    draws: Draws  # all other random numbers


@dataclass
class BatchMaker:
    """Adds negatives to a batch of positives."""

    objective: Objective
    config: EngineConfig
    module: nn.Module | None  # of the sampler
    drawing: Drawing
    n_users: int
    n_items: int
    _shadow: torch.Tensor | None = field(default=None, init=False)  # embeddings in bfloat16

    def __post_init__(self) -> None:
        """Move the constants to the device."""
        self._level_mask = levels.level_mask(self.objective.widths.values, self.config.device)
        self._is_fused = fused.serves(self.config.device)

    def batch(self, positives: Positives, layers: torch.Tensor, moment: Moment) -> Batch:
        """Return positives with negatives chosen by the current layers."""
        sampler, users, items, weights = self.config.sampler, positives.users, positives.items, positives.weights
        if sampler.gives is Negatives.NONE:
            return Batch(users, items, None, weights=weights)
        if sampler.gives is Negatives.POOL:
            return Batch(users, items, self._pools(len(users), moment), weights=weights)
        assert isinstance(sampler, ChoosingSampler)
        with torch.no_grad():
            chosen: Chosen = sampler.choose(self._pool(sampler, users, items, layers, moment), self.module)
        return Batch(users, items, chosen.items, chosen.share_of_positive, weights)

    def update_rows(self, table: torch.Tensor, nodes: torch.Tensor) -> None:
        """Update the copy in bfloat16 of rows of the table that have changed."""
        if self._shadow is not None:
            self._shadow[nodes] = table[nodes].to(torch.bfloat16)

    def update_all(self) -> None:
        """Discard the copy in bfloat16, because all embeddings have changed."""
        self._shadow = None

    def _pools(self, n: int, moment: Moment) -> torch.Tensor:
        """Return (n_blocks, n_candidates): one item of each equal range of the catalogue, as in the CPU engine."""
        n_lanes, n_items, device = self.objective.n_candidates, self.n_items, self.config.device
        n_blocks = -(-n // POOL_BLOCK)
        if self._is_fused:
            from nestrec.training.autograd.fused.pools import draw_pools

            return draw_pools(moment.key, moment.first, (n_blocks, n_lanes), n_items, POOL_BLOCK, device)
        lanes = torch.arange(n_lanes, device=device)
        blocks = moment.first // POOL_BLOCK + torch.arange(n_blocks, device=device)[:, None]
        return (lanes * n_items + below(random_bits(moment.key, blocks * n_lanes + lanes), n_items)) // n_lanes

    def _pool(
        self, sampler: ChoosingSampler, users: torch.Tensor, items: torch.Tensor, layers: torch.Tensor, moment: Moment
    ) -> Pool:
        vectors = layers[0] if len(layers) == 1 else layers.mean(dim=0)
        scoring = self._for_scoring(vectors)
        of_users, of_items = scoring[: self.n_users], scoring[self.n_users :]
        widths = self.objective.widths.values
        request = CandidateRequest(
            users, widths[-1:] if sampler.shared else widths, self.objective.n_candidates, moment.key, moment.first
        )

        def scored(item_vectors: torch.Tensor) -> Candidates:
            return self.drawing(of_users, item_vectors, request)

        def layer_scores() -> torch.Tensor:
            each = [scored(layer[self.n_users :].to(scoring.dtype).contiguous()).scores for layer in layers]
            return torch.stack(each, dim=2)

        def vectors_of_layers() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
            return layers[:, users], layers[:, items + self.n_users], layers[:, self.n_users :]

        def positive_scores() -> torch.Tensor:
            products = levels.shared_scores(vectors[users], vectors[items + self.n_users], self._level_mask)
            return products[-1:].T if sampler.shared else products.T

        candidates = scored(of_items)
        return Pool(
            items=candidates.items,
            scores=candidates.scores,
            epoch=moment.epoch,
            epochs=self.config.epochs,
            draws=moment.draws,
            of_positives=positive_scores,
            layer_scores=layer_scores,
            vectors=vectors_of_layers,
        )

    def _for_scoring(self, vectors: torch.Tensor) -> torch.Tensor:
        if not self.config.mixed_precision:
            return vectors
        if self._shadow is None:
            self._shadow = vectors.to(torch.bfloat16)
        return self._shadow

"""What an objective is at each level, as tensors of a device."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from nestrec.training.autograd import levels
from nestrec.training.objective import Objective


class LevelTensors:
    """Tensors of all levels; `set` changes their values in place, so that captured steps read the new ones."""

    def __init__(self, objective: Objective, device: torch.device) -> None:
        self.widths = objective.widths.values
        self.mask = levels.level_mask(self.widths, device)  # (n_levels, embedding_size)
        self.block_of = levels.block_of(self.mask)  # (embedding_size,)
        self.inverse_temperatures = torch.from_numpy(objective.inverse_temperatures()).to(device)  # (n_levels,)
        self.dislike_inverse_temperatures = torch.from_numpy(objective.of_dislikes().inverse_temperatures).to(device)
        (
            self.weights,  # (n_levels,)
            self.gradient_weights,  # (n_levels, n_levels) of level losses (columns) for blocks (rows)
            self.dimension_weights,  # (n_levels, embedding_size) of level losses (rows) for dimensions
            self.dislike_slope_weights,  # (n_levels, n_levels)
            self.l2_weights,  # (embedding_size,)
            self.negative_l2_weights,  # (n_levels, embedding_size): see `levels.negative_weights`
        ) = self._values(objective)

    def set(self, objective: Objective) -> None:
        """Take the weights of an objective of the same levels."""
        for tensor, values in zip(self._weighting(), self._values(objective), strict=True):
            tensor.copy_(values)

    def _weighting(self) -> Iterator[torch.Tensor]:
        yield from (self.weights, self.gradient_weights, self.dimension_weights)
        yield from (self.dislike_slope_weights, self.l2_weights, self.negative_l2_weights)

    def _values(self, objective: Objective) -> list[torch.Tensor]:
        device = self.mask.device
        weights = torch.tensor(objective.level_weights, device=device)
        gradient_weights = torch.from_numpy(objective.gradient_weights()).to(device)
        l2_weights = torch.from_numpy(objective.l2_weights()).to(device)
        return [
            weights,
            gradient_weights,
            gradient_weights[self.block_of].T.contiguous(),
            torch.from_numpy(objective.of_dislikes().slope_weights).to(device),
            l2_weights,
            levels.negative_weights(self.mask, weights, l2_weights),
        ]

"""The CSR matrix of seen items on a device, for kernels that search a user's row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from nestrec.arrays import Int32Array, Int64Array


@dataclass(frozen=True)
class SeenRows:
    """Each user's seen items, ascending."""

    indptr: torch.Tensor  # (n_users + 1,) int64
    indices: torch.Tensor  # (n_interactions,) int32
    n_halvings: int  # that a binary search of the longest row takes

    @classmethod
    def on_device(cls, indptr: Int64Array, indices: Int32Array, device: torch.device) -> SeenRows:
        """Copy the matrix to the device."""
        starts, items = (torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (indptr, indices))
        return cls(starts, items, int(np.diff(indptr).max(initial=0)).bit_length())

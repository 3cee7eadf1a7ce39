"""LightGCN's propagation: the mean of layers 0 to K of vectors passed along the edges of the interaction graph.

He et al. 2020 (LightGCN, equations 7 and 8): a layer is A times the one before, A = D^-1/2 [[0, R], [R', 0]] D^-1/2
over users and items, without weights, activations or self-loops. A is symmetric, so the mean of its powers is its own
adjoint: gradients go back by the same products.

Chosen for speed, on two cores with 310,000 edges and 64 dimensions: CSR with 32-bit indices in torch, 1.9 ms a product
(COO 14 ms, scipy with its one thread 4.4 ms, a compiled loop 1.9 ms); Horner's rule, which adds a layer within the
product; and buffers that are reused, because allocating memory costs more than the product.
"""

from __future__ import annotations

import warnings
from copy import copy
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.sparse import block_array, csr_array

from nestrec.arrays import Float64Array, Int32Array, Int64Array


def normalised_adjacency(
    indptr: Int64Array, indices: Int32Array, n_items: int
) -> Any:  # a csr_array, which has no one type
    """Return A, (n_users + n_items,) squared, float32; users first. Nodes without edges have empty rows."""
    of_user = _inverse_root(np.diff(indptr))
    of_item = _inverse_root(np.bincount(indices, minlength=n_items))
    weights = np.repeat(of_user, np.diff(indptr)) * of_item[indices]
    scaled: Any = csr_array((weights, indices.astype(np.int64), indptr), shape=(len(indptr) - 1, n_items))
    return csr_array(block_array([[None, scaled], [scaled.T, None]]), dtype=np.float32)


class Propagation:
    """The mean of X, A X, …, A^K X; X is (n_nodes, width) float32."""

    def __init__(self, adjacency: Any, n_layers: int, width: int, device: torch.device) -> None:
        """Move the matrix to the device; `n_layers` is K, 1 or more."""
        self._adjacency = _on_device(adjacency, device)
        self.n_layers = n_layers
        self._results = [torch.empty((adjacency.shape[0], width), device=device) for _ in range(2)]

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return the mean, valid until the next call; `vectors` must not be the result of an earlier call."""
        total = vectors
        for layer in range(self.n_layers):  # X + A (X + A (X + …)), scaled in the outermost
            scale = 1 / (self.n_layers + 1) if layer == self.n_layers - 1 else 1.0
            out = self._results[layer % 2]
            total = torch.addmm(vectors, self._adjacency, total, beta=scale, alpha=scale, out=out)
        return total

    def step(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return A times the vectors."""
        return self._adjacency @ vectors

    def drop_edges(self, scales: torch.Tensor | None) -> Propagation:
        """Return the propagation with the entries of A multiplied by scales, (n_entries,); itself for None."""
        if scales is None:
            return self
        other = copy(self)
        other._adjacency = _csr(  # noqa: SLF001 - its own class's
            self._adjacency.crow_indices(), self._adjacency.col_indices(), self._adjacency.values() * scales,
            tuple(self._adjacency.shape), check=False,
        )  # fmt: skip
        return other


def _inverse_root(degrees: npt.NDArray[Any]) -> Float64Array:
    """Return 1 / sqrt(degree), 0 for a node without edges."""
    roots: Float64Array = np.where(degrees > 0, degrees, np.inf) ** -0.5
    return roots


def _on_device(matrix: Any, device: torch.device) -> torch.Tensor:
    rows, columns = (torch.from_numpy(part.astype(np.int32)) for part in (matrix.indptr, matrix.indices))
    return _csr(rows, columns, torch.from_numpy(matrix.data), matrix.shape, check=True).to(device)


def _csr(
    rows: torch.Tensor, columns: torch.Tensor, values: torch.Tensor, shape: tuple[int, ...], *, check: bool
) -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta state", category=UserWarning)
        warnings.filterwarnings("ignore", message="Sparse invariant checks are implicitly disabled")  # as `check` says
        return torch.sparse_csr_tensor(rows, columns, values, size=shape, check_invariants=check)

"""Encoders: from the embedding table (n_users + n_items, embedding_size), users first, to embeddings by layers.

The embedding of a node is the mean of its layers. Matrix factorization has one layer, the table itself; LightGCN has
the table and its propagations over the graph.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np
import torch

from nestrec.arrays import Int32Array, Int64Array
from nestrec.training.autograd.counter_rng import Draws
from nestrec.training.autograd.propagation import Propagation, normalised_adjacency


class Encoder(Protocol):
    """A differentiable function from the table to embeddings."""

    @property
    def is_local(self) -> bool:
        """Whether an embedding depends on the node's own row alone, so that a batch needs only its rows."""

    def __call__(self, table: torch.Tensor, draws: Draws | None) -> torch.Tensor:
        """Return the embeddings, under autograd; with random numbers for a training step, without for inference.

        The next call may overwrite the result.
        """

    def layers(self, table: torch.Tensor, draws: Draws | None) -> torch.Tensor:
        """Return the layers (n_layers, n_nodes, embedding_size), whose mean the embeddings are, under autograd."""


class Table:
    """The table itself."""

    is_local = True

    def __call__(self, table: torch.Tensor, draws: Draws | None) -> torch.Tensor:
        """Return the table."""
        return table

    def layers(self, table: torch.Tensor, draws: Draws | None) -> torch.Tensor:
        """Return the only layer."""
        return table[None]


class Graph:
    """LightGCN's propagation, with edge dropout in training."""

    is_local = False

    def __init__(
        self,
        indptr: Int64Array,
        indices: Int32Array,
        n_items: int,
        embedding_size: int,
        n_layers: int,
        edge_dropout: float,
        device: torch.device,
    ) -> None:
        adjacency = normalised_adjacency(indptr, indices, n_items)
        self._propagation = Propagation(adjacency, n_layers, embedding_size, device)
        self._dropout = edge_dropout
        self._edges = torch.from_numpy(_edge_of(indices)).to(device) if edge_dropout else None
        self._n_edges = len(indices)

    def __call__(self, table: torch.Tensor, draws: Draws | None) -> torch.Tensor:
        """Return the mean of the layers."""
        mean: torch.Tensor = _Mean.apply(table, self._propagation.drop_edges(self._scales(draws)))  # type: ignore[no-untyped-call]
        return mean

    def layers(self, table: torch.Tensor, draws: Draws | None) -> torch.Tensor:
        """Return the table and its propagations."""
        propagation = self._propagation.drop_edges(self._scales(draws))
        layers = [table]
        for _ in range(propagation.n_layers):
            layers.append(_Step.apply(layers[-1], propagation))  # type: ignore[no-untyped-call]
        return torch.stack(layers)

    def _scales(self, draws: Draws | None) -> torch.Tensor | None:
        """Return a factor for each entry of the matrix: 0 for dropped edges, 1 / (1 - dropout) for the others."""
        if draws is None or self._edges is None:
            return None
        kept = draws.uniform(self._n_edges) >= self._dropout
        return (kept.to(torch.float32) / (1 - self._dropout))[self._edges]


class _Mean(torch.autograd.Function):
    """The mean of the layers; the matrix is symmetric, so gradients are propagated by the same products."""

    @staticmethod
    def forward(
        context: torch.autograd.function.FunctionCtx, table: torch.Tensor, propagation: Propagation
    ) -> torch.Tensor:
        context.propagation = propagation  # type: ignore[attr-defined]
        result = propagation(table)  # in memory that is used again, while autograd marks the tensor it is given
        return result.detach()

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return context.propagation(gradients[0]), None  # type: ignore[attr-defined]


class _Step(torch.autograd.Function):
    """One product with the symmetric matrix."""

    @staticmethod
    def forward(
        context: torch.autograd.function.FunctionCtx, vectors: torch.Tensor, propagation: Propagation
    ) -> torch.Tensor:
        context.propagation = propagation  # type: ignore[attr-defined]
        return propagation.step(vectors)

    @staticmethod
    def backward(context: torch.autograd.function.FunctionCtx, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        return context.propagation.step(gradients[0]), None  # type: ignore[attr-defined]


def _edge_of(indices: Int32Array) -> Int64Array:
    """Return the interaction of each entry of the adjacency: once in a user's row, once in an item's."""
    by_user = np.arange(len(indices), dtype=np.int64)
    by_item = np.argsort(indices, kind="stable")  # an item's row has its users ascending, as the interactions do
    return np.concatenate([by_user, by_item])

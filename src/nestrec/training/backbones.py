"""Backbones: encoders from parameters to embeddings, the identity (matrix factorization) or a graph (LightGCN).

LightGCN: He et al. 2020, arXiv 2002.02126. A backbone is a value; a new one for the torch engine is a subclass with an
`encoder`, whose result passes the contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from nestrec.arguments import check_count, check_number
from nestrec.errors import OptionError
from nestrec.field_docs import show_field_docs

if TYPE_CHECKING:
    import torch

    from nestrec.arrays import Int32Array, Int64Array
    from nestrec.data.interactions import Interactions
    from nestrec.training.autograd.encoders import Encoder


class Backbone:
    """Encoder from the embedding table, a row per user and item, to embeddings of the same shape."""

    moves_all: ClassVar[bool] = False
    """Whether a step changes every embedding, not only those of its batch."""

    def regularization_scale(self, interactions: Interactions) -> float:
        """Return a factor of the default regularization, because parameters may be longer than embeddings."""
        return 1.0

    def encoder(
        self,
        indptr: Int64Array,  # (n_users + 1,)
        indices: Int32Array,  # (n_interactions,)
        n_items: int,
        embedding_size: int,
        device: torch.device,
    ) -> Encoder:
        """Return the encoder for these training interactions on a device."""
        raise NotImplementedError


@dataclass(frozen=True)
class MF(Backbone):
    """Matrix factorization: the embedding table itself.

    >>> MF()
    MF()
    """

    def encoder(
        self,
        indptr: Int64Array,
        indices: Int32Array,
        n_items: int,
        embedding_size: int,
        device: torch.device,
    ) -> Encoder:
        """Return the identity."""
        from nestrec.training.autograd.encoders import Table

        return Table()


@show_field_docs
@dataclass(frozen=True)
class LightGCN(Backbone):
    """The mean of the embedding table and of its 1 to `n_layers` propagations over the graph of interactions.

    >>> LightGCN(n_layers=2)
    LightGCN(n_layers=2, edge_dropout=0.0)
    """

    n_layers: int = field(default=3, metadata={"option": "layers"})
    """Propagation layers."""
    edge_dropout: float = 0.0
    """Share of the interactions dropped from the graph in each step, 0 to 1."""

    moves_all: ClassVar[bool] = True
    """True: parameters reach the embeddings of others along the graph."""

    def __post_init__(self) -> None:
        """Check the values."""
        check_count("n_layers", self.n_layers, 16, 3)
        if not 0 <= check_number("edge_dropout", self.edge_dropout, 0.1) < 1:
            raise OptionError(
                f"edge_dropout must be at least 0 and below 1, got {self.edge_dropout} (for example 0.1)",
                option="edge_dropout",
            )

    def regularization_scale(self, interactions: Interactions) -> float:
        """Return ((1 + s + ... + s^K) / (K + 1))^2, where s is the largest singular value of noise in the graph.

        A propagation multiplies a direction by its singular value, so the mean over the layers multiplies a direction
        at the edge of noise by that sum. Its gradient comes back through the same mean, hence the square. In sparse
        graphs s is near 1, and an embedding nearly as long as its parameters; in dense ones it is near 0.
        """
        from nestrec.training.data_defaults import noise_parts

        edge = min(1.0, sum(noise_parts(interactions)))  # no singular value of a normalised graph is above 1
        gain: float = sum(edge**layer for layer in range(self.n_layers + 1)) / (self.n_layers + 1)
        return gain**2

    def encoder(
        self,
        indptr: Int64Array,
        indices: Int32Array,
        n_items: int,
        embedding_size: int,
        device: torch.device,
    ) -> Encoder:
        """Return the propagation over these interactions."""
        from nestrec.training.autograd.encoders import Graph

        return Graph(indptr, indices, n_items, embedding_size, self.n_layers, self.edge_dropout, device)


BACKBONES: dict[str, type] = {"mf": MF, "lightgcn": LightGCN}

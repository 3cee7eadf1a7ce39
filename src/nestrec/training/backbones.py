"""What turns trained numbers into vectors: nothing (matrix factorisation), or the graph of interactions (LightGCN).

LightGCN: He et al. 2020, arXiv 2002.02126. A backbone is a value; for the torch engine a new one is a class with an
`encoder`, which gives an object that passes the contract tests.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from nestrec.arguments import check_count, real_number
from nestrec.errors import OptionError

if TYPE_CHECKING:
    import torch

    from nestrec.arrays import Int32Array, Int64Array
    from nestrec.data.interactions import Interactions
    from nestrec.training.autograd.encoders import Encoder


class Backbone:
    """From trained numbers, a row a user and item, to vectors of the same shape."""

    @property
    def moves_all(self) -> bool:
        """Whether a step moves every vector, or those of its batch alone."""
        return False

    def regularization_scale(self, interactions: Interactions) -> float:
        """Return what the regularization that the data decide is multiplied by: numbers may be longer than vectors."""
        return 1.0

    def encoder(
        self,
        indptr: Int64Array,  # (n_users + 1,)
        indices: Int32Array,  # (n_interactions,)
        n_items: int,
        embedding_size: int,
        device: torch.device,
    ) -> Encoder:
        """Return what encodes on a device, for the given training interactions."""
        raise NotImplementedError


@dataclass(frozen=True)
class MF(Backbone):
    """Matrix factorisation: the trained numbers are the vectors.

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


@dataclass(frozen=True)
class LightGCN(Backbone):
    """The mean of the trained numbers and of what 1 to `n_layers` steps over the graph of interactions make of them.

    >>> LightGCN(n_layers=2)
    LightGCN(n_layers=2, edge_dropout=0.0)
    """

    n_layers: int = field(default=3, metadata={"option": "layers"})
    """Propagation layers."""
    edge_dropout: float = 0.0
    """Share of the interactions dropped from the graph in each step, 0 to 1."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_count("n_layers", self.n_layers, 16, 3)
        if not 0 <= real_number("edge_dropout", self.edge_dropout, 0.1) < 1:
            raise OptionError(f"edge dropout {self.edge_dropout} is not in [0, 1); give a share that is, as in 0.1")

    @property
    def moves_all(self) -> bool:
        """Yes: numbers reach the vectors of others along the graph."""
        return True

    def regularization_scale(self, interactions: Interactions) -> float:
        """Return ((1 + s + ... + s^K) / (K + 1))^2, where s is the largest singular value that chance gives the graph.

        A step over the graph multiplies a direction by its singular value, so that sum is what the mean over the layers
        makes of one where taste and chance meet. Its gradient comes back through the same mean, hence the square. In
        sparse graphs s is near 1, and a vector nearly as long as what is trained; in dense ones it is near 0.
        """
        from nestrec.training.data_defaults import largest_noise_value

        edge = min(1.0, largest_noise_value(interactions))  # no singular value of a normalised graph is above 1
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

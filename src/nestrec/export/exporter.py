"""The protocol of exporters, which write the vectors of one side of a model with their ids."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Protocol

from nestrec.arrays import Float32Array
from nestrec.data.ids import IdArray
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError

Side = Literal["items", "users"]


class Exporter(Protocol):
    """Writes vectors and ids in a format of other tools."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """Write the vectors of the model's widest width, in the order of its ids, atomically.

        Raises OptionError where the path exists and `overwrite` is False, or cannot be written, and for ids that the
        format cannot hold.
        """


def select_side(model: NestedEmbeddings, side: Side) -> tuple[IdArray, Float32Array]:
    """Return the ids and vectors of items or users; raise OptionError for any other side."""
    if side == "items":
        return model.items.ids, model.item_embeddings
    if side == "users":
        return model.users.ids, model.user_embeddings
    raise OptionError(f"side must be items or users, got {side!r}", option="side")

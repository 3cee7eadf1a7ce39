"""Ids and vectors of users or items at one width, for a vector store or for other libraries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arguments import check_keywords
from nestrec.arrays import Float32Array
from nestrec.data.ids import IdArray
from nestrec.data.vocabulary import Vocabulary
from nestrec.embeddings.base import ModelParts
from nestrec.field_docs import show_field_docs
from nestrec.tabular import Tabular, Values


@show_field_docs
@dataclass(frozen=True, eq=False, repr=False)
class Vectors(Tabular):
    """Ids and their vectors; unpacks as `ids, vectors = model.item_vectors(width=16)`.

    Its tables have the columns `id` and `vector`, a fixed-size list of 32-bit floats.

    >>> import nestrec
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0, 0.0]], [[2.0, 1.0], [3.0, 1.0]], widths=[1, 2])
    >>> ids, vectors = model.item_vectors(width=1)
    >>> ids.tolist(), vectors.tolist()
    ([0, 1], [[2.0], [3.0]])
    >>> model.item_vectors().to_polars().schema["vector"]
    Array(Float32, shape=(2,))
    """

    ids: IdArray
    """(n,) in the order of the rows."""
    vectors: Float32Array
    """(n, width) float32, contiguous and writable only if the model's arrays are."""

    @classmethod
    def of(cls, vocabulary: Vocabulary, embeddings: Float32Array, width: int) -> Vectors:
        """Return the prefixes of this width; a copy, unless the width is the full one."""
        return cls(vocabulary.ids, np.ascontiguousarray(embeddings[:, :width]))

    def as_columns(self) -> Mapping[str, Values]:
        """Return the columns `id` and `vector`."""
        return {"id": self.ids, "vector": self.vectors}

    def __iter__(self) -> Iterator[npt.NDArray[Any]]:
        """Unpack to ids and vectors."""
        return iter((self.ids, self.vectors))

    def __len__(self) -> int:
        """Count the vectors."""
        return len(self.ids)

    def __repr__(self) -> str:
        """Show the sizes."""
        return f"<Vectors: {self.vectors.shape[0]:,} of {self.vectors.shape[1]} dimensions>"


class VectorMethods(ModelParts):
    """Give out ids and vectors of one width."""

    @check_keywords
    def item_vectors(self, width: int | None = None) -> Vectors:
        """Return the ids and vectors of all items at a trained width, None for the widest: `ids, vectors = …`.

        The vectors are a contiguous float32 array, (n_items, width), and convert to tables by `to_arrow`, `to_pandas`
        and `to_polars`.
        """
        return Vectors.of(self.items, self.item_embeddings, self._width(width))

    @check_keywords
    def user_vectors(self, width: int | None = None) -> Vectors:
        """Return the ids and vectors of all users at a trained width; see `item_vectors`."""
        return Vectors.of(self.users, self.user_embeddings, self._width(width))

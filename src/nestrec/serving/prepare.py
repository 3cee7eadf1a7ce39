"""Prepare a model for requests: whatever searches of its widths build on first use is built before."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings

_K = 10


def prepare_widths(model: NestedEmbeddings) -> NestedEmbeddings:
    """Return the model with the retriever of every width built."""
    for width in model.widths:
        model.retriever(width, k=_K)
    return model

"""Prepare a model for requests: what makes its searches fast at every width is built before the first of them."""

from __future__ import annotations

from nestrec.embeddings import NestedEmbeddings

_THREADS = 1  # the others answer requests while a model is loaded again


def prepare_widths(model: NestedEmbeddings) -> NestedEmbeddings:
    """Return the model with compact codes, by which every width is searched exactly."""
    return model.with_codes(threads=_THREADS)

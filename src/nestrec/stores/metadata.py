"""What a store says about itself: the version of the model, its layout and the recommended operating points."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nestrec.errors import StoreError
from nestrec.stores.layout import Layout

FORMAT = 1


class OperatingPoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Widths and shortlist of a two-stage search, with the recall that they were measured to reach.

    Recall is the share of the best k items by the widest vectors, seen ones left out, that the search returns.
    """

    target: float
    """Recall that was asked for."""
    widths: tuple[int, ...]
    shortlist: int
    """Candidates that the first stage hands to the second."""
    recall: float
    """Recall that was measured on sampled users of the model, with an exact first stage."""
    k: int
    n_users: int
    """Users that were sampled."""


class StoreMetadata(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Metadata of a store, kept in it as JSON."""

    store: str
    """Name of the store, such as qdrant."""
    layout: Layout
    version: str | None = None
    """Fingerprint of the rows of the last export that ended; None: none has ended yet."""
    writing: str | None = None
    """Fingerprint of the rows that are being written; None: the last export ended."""
    held_items: str | None = None
    """Fingerprint of the item vectors of the model of `version`, by which a search knows the model again."""
    where: str | None = None
    """Condition on the items that were exported."""
    n_items: int = 0
    n_users: int = 0
    operating_points: tuple[OperatingPoint, ...] = ()
    """In ascending order of recall."""
    options: dict[str, Any] = {}
    """Options that the index was built with."""
    nestrec: str = ""
    """Version of nestrec that wrote it."""
    format: int = FORMAT

    def as_dict(self) -> dict[str, Any]:
        """Return plain values that JSON can hold."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def read_metadata(values: Mapping[str, Any], place: str) -> StoreMetadata:
    """Return the metadata of plain values; raise StoreError for those of another format."""
    if values.get("format") != FORMAT:
        raise StoreError(
            f"the store at {place} must have format {FORMAT}, got {values.get('format')!r}; export it again with "
            "overwrite=True",
        )
    try:
        return msgspec.convert(values, StoreMetadata)
    except msgspec.ValidationError as error:
        raise StoreError(
            f"the metadata of the store at {place} is damaged ({error}); export it again with overwrite=True"
        ) from error

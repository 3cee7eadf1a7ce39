"""Conversion of records (dataclasses) to plain JSON values and back by msgspec; NaN is null in JSON."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec

Record = TypeVar("Record")

_OPTIONAL = {"width", "seconds", "validation_value", "error", "known_test_users", "threads", "per_user"}


def to_plain(record: object) -> Any:
    """Return plain values for JSON."""
    return msgspec.json.decode(msgspec.json.encode(record))


def from_plain(document: object, kind: type[Record]) -> Record:
    """Return the record that plain values describe; raise msgspec.ValidationError, a ValueError, for malformed ones."""
    return msgspec.convert(_restore_nan(document), kind)


def _restore_nan(value: Any, key: str = "") -> Any:
    """Replace null by NaN except where a field may be None."""
    if key == "options":
        return value
    if isinstance(value, dict):
        return {key: _restore_nan(entry, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [_restore_nan(entry) for entry in value]
    return math.nan if value is None and key not in _OPTIONAL else value

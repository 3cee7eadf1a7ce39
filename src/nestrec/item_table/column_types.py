"""Types of the columns of an item table, as DuckDB names them and as people do."""

from __future__ import annotations

import re
from typing import Literal

Family = Literal["text", "number", "boolean", "date", "time", "list", "other"]

_LIST = re.compile(r"(.+)\[\d*\]\Z")
_NUMBER = re.compile(r"(?:U?(?:TINY|SMALL|BIG|HUGE)?INT(?:EGER)?|UINTEGER|BIGNUM|FLOAT|DOUBLE|DECIMAL(?:\(.*\))?)\Z")
_NAMES = {"boolean": "true or false", "other": "of a type that has no tests but null"}


def classify_type(kind: str) -> Family:
    """Return the family of a type.

    >>> classify_type("VARCHAR[]"), classify_type("DECIMAL(9,2)"), classify_type("TIMESTAMP WITH TIME ZONE")
    ('list', 'number', 'time')
    """
    if _LIST.match(kind):
        return "list"
    if _NUMBER.match(kind):
        return "number"
    if kind.startswith("TIMESTAMP"):
        return "time"
    plain: dict[str, Family] = {"VARCHAR": "text", "BOOLEAN": "boolean", "DATE": "date"}
    return plain.get(kind, "other")


def get_element_type(kind: str) -> str:
    """Return the type of the elements of a list."""
    match = _LIST.match(kind)
    return match[1] if match else kind


def describe_type(kind: str) -> str:
    """Return the type in words.

    >>> describe_type("VARCHAR[]"), describe_type("BIGINT"), describe_type("BOOLEAN")
    ('list of text', 'number', 'true or false')
    """
    family = classify_type(kind)
    if family == "list":
        return f"list of {describe_type(get_element_type(kind))}"
    return _NAMES.get(family, family)

"""Strict JSON: no repeated keys, no NaN, bounded nesting; and a canonical digest of a document."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from typing import Any, NoReturn

DEEPEST = 64  # levels of nesting


def parse_json(content: bytes) -> Any:
    """Return the document; raise ValueError for anything but one plain JSON document in UTF-8.

    >>> parse_json(b'{"widths": [4, 8]}')
    {'widths': [4, 8]}
    """
    try:
        document = json.loads(content.decode("utf-8"), object_pairs_hook=_refuse_repeats, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError(f"nested more than {DEEPEST} levels deep") from error
    _check_depth(document)
    return document


def digest_document(document: dict[str, Any]) -> str:
    """Return the SHA-256 (hexadecimal) of a parsed document, independent of its spacing and the order of its keys.

    It is that of the UTF-8 text with sorted keys and without blanks. Raises ValueError for what JSON cannot hold:
    infinite numbers and text that is not Unicode.
    """
    text = json.dumps(document, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        counts = Counter(name for name, _ in pairs)
        repeated = counts.most_common(1)[0][0]
        raise ValueError(f"key {repeated[:40]!r} occurs twice in one object")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number of JSON")


def _check_depth(document: Any) -> None:
    level: list[Any] = [[document]]
    for _ in range(DEEPEST + 1):
        inner = [value.values() if isinstance(value, dict) else value for value in level]
        level = [part for value in inner for part in value if isinstance(part, (dict, list))]
        if not level:
            return
    raise ValueError(f"nested more than {DEEPEST} levels deep")

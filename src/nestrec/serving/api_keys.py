"""API keys: read from a file, kept as digests, compared in constant time, never logged.

A line of the file is `NAME KEY`, or a key alone; empty lines and those that start with # are skipped. The name, not the
key, is what the access log shows.
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from nestrec.errors import OptionError

_SHORTEST = 16  # characters
_LARGEST_FILE = 1_000_000  # bytes
_BEARER = b"bearer "


class ApiKeys:
    """Names of clients by the digests of their keys.

    >>> keys = ApiKeys({"shop": "correct-horse-battery"})
    >>> keys.find(b"correct-horse-battery"), keys.find(b"a-wrong-horse-battery")
    ('shop', None)
    """

    def __init__(self, keys: dict[str, str]) -> None:
        self._digests = {name: sha256(key.encode()).digest() for name, key in keys.items()}

    @classmethod
    def read(cls, path: Path) -> ApiKeys:
        """Read a file of keys; raise OptionError, without the keys, where it cannot be read or a key is too short."""
        try:
            with path.open("rb") as file:
                content = file.read(_LARGEST_FILE + 1)
            lines = content.decode().splitlines()
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or "it must be UTF-8 text"
            raise OptionError(f"the file of keys {path} cannot be read ({reason})") from error
        if len(content) > _LARGEST_FILE:
            raise OptionError(f"the file of keys {path} must have at most {_LARGEST_FILE} bytes")
        return cls(_parse_keys(path, lines))

    def find(self, key: bytes) -> str | None:
        """Return the name of a key, None for an unknown one; every key is compared, whichever it is."""
        digest, found = sha256(key).digest(), None
        for name, own in self._digests.items():
            if hmac.compare_digest(own, digest):
                found = name
        return found

    def __repr__(self) -> str:
        """Show the number of keys."""
        return f"<ApiKeys: {len(self._digests)}>"


def read_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """Return the key of a request: of `Authorization: Bearer KEY` or `X-API-Key: KEY`; None without one."""
    for name, value in headers:
        if name == b"x-api-key":
            return value
        if name == b"authorization" and value[: len(_BEARER)].lower() == _BEARER:
            return value[len(_BEARER) :].strip()
    return None


def _parse_keys(path: Path, lines: list[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        words = line.split()
        if not words or words[0].startswith("#"):
            continue
        name, key = (words[0], words[1]) if len(words) == 2 else (f"line-{number}", words[0])
        if len(words) > 2 or len(key) < _SHORTEST or name in keys:
            raise OptionError(
                f"line {number} of {path} must be NAME KEY or a key alone, with a key of {_SHORTEST} characters or "
                "more and a name of its own"
            )
        keys[name] = key
    if not keys:
        raise OptionError(f"the file of keys {path} must hold a key, got none")
    return keys

"""Memory sizes as text."""

from __future__ import annotations

_BYTES_PER_DIMENSION = 4  # float32


def bytes_per_million_items(width: int) -> int:
    """Return the bytes of a million vectors of this width.

    >>> bytes_per_million_items(64)
    256000000
    """
    return width * _BYTES_PER_DIMENSION * 1_000_000


def format_bytes(n: int) -> str:
    """Return a size with a decimal unit.

    >>> format_bytes(256_000_000), format_bytes(1_500), format_bytes(12)
    ('256 MB', '1.5 kB', '12 B')
    """
    size, units = float(n), ["B", "kB", "MB", "GB", "TB"]
    while size >= 1000 and len(units) > 1:
        size, units = size / 1000, units[1:]
    return f"{size:.3g} {units[0]}"

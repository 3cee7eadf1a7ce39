"""A table of texts, to be printed or set in HTML by whoever shows it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TextTable:
    """Headers and rows; every row is as long as the headers."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    title: str | None = None
    n_left: int = 0  # columns set left; the rest, numbers, are set right

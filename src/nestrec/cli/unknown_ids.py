"""Ids that a model does not know and --skip-unknown leaves out: counted, and printed at the end."""

from __future__ import annotations

from typing import Any

from nestrec.cli.console import say

_NAMED = 5


class Skipped:
    """Counts by noun (user, item), with the first few ids."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}

    def add(self, noun: str, ids: Any) -> None:
        """Count skipped ids."""
        self._counts[noun] = self._counts.get(noun, 0) + len(ids)
        first = self._first.setdefault(noun, [])
        first += [repr(value) for value in ids[: _NAMED - len(first)].tolist()]

    def add_once(self, noun: str, ids: Any) -> None:
        """Count ids that are the same for every block, unless they are counted already."""
        if noun not in self._counts:
            self.add(noun, ids)

    def report(self) -> None:
        """Print on stderr what was skipped."""
        for noun, count in self._counts.items():
            if count:
                more = ", …" if count > len(self._first[noun]) else ""
                plural = "s" if count > 1 else ""
                say(f"Skipped {count:,} {noun}{plural} unknown to the model: {', '.join(self._first[noun])}{more}")

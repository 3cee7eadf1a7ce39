"""What a command leaves out of its results, counted and printed at the end."""

from __future__ import annotations

from typing import Any

from nestrec.cli.console import say
from nestrec.data.read_report import format_count

_NAMED = 5


class Omissions:
    """Unknown ids that --skip-unknown leaves out, by noun (user, item), and users without an item left to recommend."""

    def __init__(self) -> None:
        self.n_unanswered = 0
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}

    def add(self, noun: str, ids: Any) -> None:
        """Count unknown ids."""
        self._counts[noun] = self._counts.get(noun, 0) + len(ids)
        first = self._first.setdefault(noun, [])
        first += [repr(value) for value in ids[: _NAMED - len(first)].tolist()]

    def add_once(self, noun: str, ids: Any) -> None:
        """Count ids that are the same for every block, unless they are counted already."""
        if noun not in self._counts:
            self.add(noun, ids)

    def report(self) -> None:
        """Print on stderr what was left out."""
        for noun, count in self._counts.items():
            if count:
                more = ", …" if count > len(self._first[noun]) else ""
                say(f"Skipped {format_count(count, noun)} unknown to the model: {', '.join(self._first[noun])}{more}")
        if self.n_unanswered:
            users = format_count(self.n_unanswered, "user")
            say(f"No item is left to recommend to {users}; --include-seen allows seen items")

"""What a command leaves out of its results, counted and printed at the end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from nestrec.cli.console import say
from nestrec.data.read_report import format_count

if TYPE_CHECKING:
    from nestrec.retrieval.ranking import Ranking

HISTORY = "history"  # a noun, for histories of unknown items alone

_NAMED = 5
_DESCRIPTIONS = {  # of one, and of several
    HISTORY: ("{n} history of unknown items alone", "{n} histories of unknown items alone"),
}


class Omissions:
    """What --skip-unknown leaves out, by noun (user, item, HISTORY), and users without an item left to recommend."""

    def __init__(self, remedies: str = "") -> None:
        """Take what would leave more items to recommend."""
        self.n_unanswered = 0
        self.n_lists = self.n_items = 0  # of the users with an answer
        self._remedies = remedies
        self._counts: dict[str, int] = {}
        self._first: dict[str, list[str]] = {}

    def add(self, noun: str, ids: Any) -> None:
        """Count unknown ids."""
        self._counts[noun] = self._counts.get(noun, 0) + len(ids)
        first = self._first.setdefault(noun, [])
        for shown in dict.fromkeys(map(repr, ids.tolist())):
            if shown not in first and len(first) <= _NAMED:  # one more than is named says that there are more
                first.append(shown)

    def add_once(self, noun: str, ids: Any) -> None:
        """Count ids that are the same for every block, unless they are counted already."""
        if noun not in self._counts:
            self.add(noun, ids)

    def count_answers(self, ranking: Ranking) -> None:
        """Count lists and their items."""
        self.n_unanswered += ranking.n_unanswered
        self.n_lists += len(ranking.queries) - ranking.n_unanswered
        self.n_items += int((ranking.scores > float("-inf")).sum())

    def report(self) -> None:
        """Print on stderr what was left out."""
        for noun, count in self._counts.items():
            if count:
                more = ", …" if len(self._first[noun]) > _NAMED else ""
                say(f"Skipped {_describe(noun, count)}: {', '.join(self._first[noun][:_NAMED])}{more}")
        if self.n_unanswered:
            users = format_count(self.n_unanswered, "user")
            say(f"No item is left to recommend to {users}" + (f"; {self._remedies}" if self._remedies else ""))


def suggest_more(filters: Mapping[str, object], *, exclude_seen: bool) -> str:
    """Return what would leave more items; `filters` are the options that bound them, with their values.

    >>> suggest_more({"--where": "year > 1990", "--allow": None}, exclude_seen=True)
    '--include-seen allows seen items, and there are more without --where'
    """
    given = " and ".join(name for name, value in filters.items() if value is not None)
    remedies = ["--include-seen allows seen items"] if exclude_seen else []
    return ", and ".join([*remedies, *([f"there are more without {given}"] if given else [])])


def _describe(noun: str, count: int) -> str:
    if noun in _DESCRIPTIONS:
        return _DESCRIPTIONS[noun][count > 1].format(n=f"{count:,}")
    return f"{format_count(count, noun)} unknown to the model"

"""A/B splits: users are divided between models by a hash of their id, so that each stays with one arm."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from itertools import accumulate

import xxhash

from nestrec.arguments import require
from nestrec.errors import OptionError
from nestrec.serving.messages import Id

_INTERLEAVED = "+"


@dataclass(frozen=True)
class Split:
    """Arms with their shares of the users; an arm of two models, such as `old+new`, interleaves their lists.

    Each user keeps the arm while the shares stay. Arms take ranges of hashes in their order, so that a share that
    grows at the cost of the next moves only users between the two. Another salt divides users independently.

    >>> split = Split.parse("old=90,new=10", ["old", "new"])
    >>> split.shares, split.choose(42), split.choose("42")
    ({'old': 0.9, 'new': 0.1}, 'old', 'old')
    """

    shares: dict[str, float]
    """Share of each arm; they sum to 1."""
    salt: str = ""

    @classmethod
    def parse(cls, text: str, models: Collection[str], salt: str = "") -> Split:
        """Return the split of text such as `old=90,new=10`; raise OptionError for unknown models and other text."""
        weights: dict[str, float] = {}
        for part in text.split(","):
            arm, equals, share = part.strip().rpartition("=")
            require(bool(equals and arm) and arm not in weights, "split", "name each arm once, as old=90,new=10", text)
            _check_arm(arm, models)
            weights[arm] = _parse_share(share, text)
        total = sum(weights.values())
        require(total > 0, "split", "have a share above 0", text)
        return cls({arm: weight / total for arm, weight in weights.items()}, salt)

    def choose(self, user: Id) -> str:
        """Return the arm of a user."""
        place = xxhash.xxh3_64_intdigest(f"{self.salt}\0{user}".encode(errors="surrogatepass")) / 2**64
        arms = list(self.shares)
        ends = accumulate(self.shares.values())
        return next((arm for arm, end in zip(arms, ends, strict=True) if place < end), arms[-1])


def models_of(arm: str) -> list[str]:
    """Return the models of an arm: one, or two that are interleaved."""
    return arm.split(_INTERLEAVED)


def _check_arm(arm: str, models: Collection[str]) -> None:
    names = models_of(arm)
    for name in names:
        if name not in models:
            raise OptionError(f"split must name served models ({', '.join(models)}), got {name!r}", option="split")
    require(len(names) < 3 and len(set(names)) == len(names), "split", "interleave two models at most", arm)


def _parse_share(share: str, text: str) -> float:
    try:
        weight = float(share)
    except ValueError:
        weight = -1.0
    require(0 <= weight < 1e9, "split", "have shares that are numbers from 0 on, as old=90,new=10", text)
    return weight

"""Team-draft interleaving of two rankings (Radlinski, Kurup and Joachims 2008), for online tests.

In each round a coin decides which model picks first; each picks its best item that is not in the list yet. Clicks are
credited to the model that picked the item.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from nestrec.serving.messages import ScoredItem


def interleave(lists: Mapping[str, Sequence[ScoredItem]], k: int, seed: str) -> list[tuple[str, ScoredItem]]:
    """Return k items with the model that picked each; the coins follow from the seed.

    >>> a, b = ScoredItem("jam", 2.0), ScoredItem("tea", 1.0)
    >>> [item.id for _, item in interleave({"old": [a, b], "new": [a, b]}, 2, seed="x")]
    ['jam', 'tea']
    """
    coins = random.Random(seed)
    waiting = {model: iter(items) for model, items in lists.items()}
    chosen: dict[object, tuple[str, ScoredItem]] = {}
    while len(chosen) < k and waiting:
        for model in coins.sample(sorted(waiting), len(waiting)):
            item = next((item for item in waiting[model] if item.id not in chosen), None)
            if item is None:
                del waiting[model]
            elif len(chosen) < k:
                chosen[item.id] = model, item
    return list(chosen.values())

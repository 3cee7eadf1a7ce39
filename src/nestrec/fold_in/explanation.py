"""The result of explaining a score: which items of the history contribute how much."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.data.ids import IdArray
from nestrec.fold_in.fold_in import FoldIn
from nestrec.fold_in.histories import Histories
from nestrec.tabular import Tabular, Values


@dataclass(frozen=True, eq=False)
class Explanation(Tabular):
    """A score as a sum: one contribution for each item of the history, and the rest.

    Contributions are those to the score of the folded vector. The rest is what the score has beyond them: for a user of
    the model, the difference between the trained vector and the folded one; for a history, rounding.
    """

    items: IdArray
    """(n,) items of the history, greatest contribution first."""
    contributions: Float64Array
    """(n,) their parts of the score."""
    rest: float
    """score less the sum of the contributions."""
    score: float
    """As `score` returns it for a user of the model; that of the folded vector for a history."""

    def __iter__(self) -> Iterator[tuple[Any, float]]:
        """Yield item and contribution, greatest first."""
        return zip(self.items.tolist(), self.contributions.tolist(), strict=True)

    def as_columns(self) -> Mapping[str, Values]:
        """Return the columns `item_id` and `contribution`, a row per item of the history; without the rest."""
        return {"item_id": self.items, "contribution": self.contributions}

    def __repr__(self) -> str:
        """Show the score, its parts and the rest."""
        first = ", ".join(f"{item!r} {value:+.3g}" for item, value in list(self)[:5])
        more = f", … ({len(self.items)} items)" if len(self.items) > 5 else ""
        return f"<Explanation: score {self.score:.4g} = {first or 'no items'}{more}, rest {self.rest:+.3g}>"


def explain_score(
    fold_in: FoldIn,
    history: Histories,  # of one user
    item: Float32Array,  # (width,) the item's vector
    item_ids: IdArray,  # (n_items,)
    trained: Float32Array | None,  # (width,) the user's own vector; None: the folded one
    threads: int | None,
) -> Explanation:
    """Split the score of an item into contributions of the history's items; ties keep the order of the items."""
    folded = fold_in.fold_users(history, threads)[0]
    vector = folded if trained is None else trained
    score = float(np.vecdot(vector[: len(item)], item))
    if len(history.indices) == 0:
        return Explanation(item_ids[:0], np.zeros(0), score, score)
    parts = fold_in.split_user(history, folded)[:, : len(item)] @ item.astype(np.float64)
    order = np.argsort(-parts, kind="stable")
    return Explanation(item_ids[history.indices[order]], parts[order], score - float(parts.sum()), score)

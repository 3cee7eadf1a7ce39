"""Items of an answer: ids, scores, titles and explanations."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET

from nestrec.serving.messages import Contribution, Id, ScoredItem
from nestrec.serving.served_model import ServedModel

_SHOWN_CONTRIBUTIONS = 5


def list_items(served: ServedModel, ids: Any, scores: Any, *, titles: bool) -> list[ScoredItem]:
    """Return ids with their scores, and with titles where they are wanted and the model has them."""
    pairs = zip(ids.tolist(), scores.tolist(), strict=True)
    if not (titles and served.has_titles):
        return [ScoredItem(id_, score) for id_, score in pairs]
    named = served.titles_of(ids)
    return [ScoredItem(id_, score, title or UNSET) for (id_, score), title in zip(pairs, named, strict=True)]


def explain_items(
    served: ServedModel,
    items: list[ScoredItem],
    width: int,
    *,
    user: Id | None = None,
    history: list[Id] | None = None,
) -> list[ScoredItem]:
    """Return the items with the contributions of the user's history, or of the one given, to their scores."""
    return [_explain(served, item, width, user, history) for item in items]


def with_model(item: ScoredItem, model: str) -> ScoredItem:
    """Return an item of an interleaved list with the model that picked it."""
    return ScoredItem(item.id, item.score, item.title, model, item.because)


def _explain(
    served: ServedModel, item: ScoredItem, width: int, user: Id | None, history: list[Id] | None
) -> ScoredItem:
    found = served.model.explain(user, item.id, width, history=history)
    items, parts = found.items[:_SHOWN_CONTRIBUTIONS], found.contributions[:_SHOWN_CONTRIBUTIONS].tolist()
    titles = served.titles_of(items) if served.has_titles else [""] * len(parts)
    because = [
        Contribution(id_, part, title or UNSET) for id_, part, title in zip(items.tolist(), parts, titles, strict=True)
    ]
    return ScoredItem(item.id, item.score, item.title, item.model, because)

"""The calls of both clients: path, parameters and type of the answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote

from nestrec.serving.messages import (
    Embedding,
    Id,
    ItemList,
    ItemLists,
    ModelDescriptions,
    Neighbours,
    Reloaded,
    Scores,
)

Answer = TypeVar("Answer")

_FEW_IDS = 50  # in a query string; longer lists are sent in a body


class ModelKeywords(TypedDict, total=False):
    """Which model answers, and at which width."""

    model: str
    width: int


class ListKeywords(ModelKeywords, total=False):
    """Options of a list of items."""

    k: int
    allow: Sequence[Id]
    deny: Sequence[Id]
    where: str
    titles: bool
    skip_unknown: bool


class RecommendKeywords(ListKeywords, total=False):
    """Options of recommendations."""

    exclude_seen: bool
    exact: bool
    diversity: float
    explain: bool


@dataclass(frozen=True)
class Call(Generic[Answer]):
    """A request and the type of its answer."""

    method: str
    path: str
    answer: type[Answer]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    may_repeat: bool = True  # whether it may be sent again after a failure


def recommend(user: Id, options: RecommendKeywords) -> Call[ItemList] | Call[ItemLists]:
    """Return the call for the list of one user; that of a batch of one where it has long lists of items."""
    if len(options.get("allow", ())) + len(options.get("deny", ())) > _FEW_IDS:
        return recommend_batch([user], options)
    return Call("GET", f"/v1/recommend/{_quote(user)}", ItemList, _as_query(options))


def recommend_batch(users: Sequence[Id], options: RecommendKeywords) -> Call[ItemLists]:
    """Return the call for the lists of several users."""
    return Call("POST", "/v1/recommend", ItemLists, body={**_as_body(options), "users": list(users)})


def recommend_for(
    history: Sequence[Id], weights: Sequence[float] | None, options: RecommendKeywords
) -> Call[ItemLists]:
    """Return the call for the list of a new user by a history."""
    given = {} if weights is None else {"weights": list(weights)}
    return Call("POST", "/v1/recommend", ItemLists, body={**_as_body(options), "history": list(history), **given})


def similar_items(item: Id, options: ListKeywords) -> Call[Neighbours]:
    """Return the call for the neighbours of an item."""
    return Call("GET", f"/v1/similar/{_quote(item)}", Neighbours, _as_query(options))


def score(users: Sequence[Id], items: Sequence[Id], options: ModelKeywords) -> Call[Scores]:
    """Return the call for the scores of pairs."""
    return Call("POST", "/v1/score", Scores, body={**options, "users": list(users), "items": list(items)})


def embedding(side: str, id_: Id, options: ModelKeywords) -> Call[Embedding]:
    """Return the call for a vector of a user or an item."""
    return Call("GET", f"/v1/embeddings/{side}/{_quote(id_)}", Embedding, options)


def models() -> Call[ModelDescriptions]:
    """Return the call for the models that are served."""
    return Call("GET", "/v1/models", ModelDescriptions)


def reload(model: str | None) -> Call[Reloaded]:
    """Return the call that loads a model again, or all of them."""
    body = {} if model is None else {"model": model}
    return Call("POST", "/v1/admin/reload", Reloaded, body=body, may_repeat=False)


def first_list(found: ItemList | ItemLists) -> ItemList:
    """Return the list of a call for one user."""
    return found.results[0] if isinstance(found, ItemLists) else found


def _as_query(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: str(value).lower() if isinstance(value, bool) else value for name, value in options.items()}


def _as_body(options: Mapping[str, Any]) -> dict[str, Any]:
    return {name: list(value) if name in ("allow", "deny") else value for name, value in options.items()}


def _quote(id_: Id) -> str:
    return quote(str(id_), safe="")

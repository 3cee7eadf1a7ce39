"""Requests and answers of the server as typed values, from which its OpenAPI description is made.

Left-out fields of a request are UNSET: JSON's null is not a value of any of them.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

Id = int | str
T = TypeVar("T")

Width = Annotated[int, Meta(ge=1, description="A trained width; left out, the widest, or a narrower one under load.")]
Dimensions = Annotated[int, Meta(ge=1, description="The same as width.")]
ModelName = Annotated[str, Meta(description="Name of a model; left out, the split or the first model decides.")]
Count = Annotated[int, Meta(ge=1, description="Items of a list.")]
Condition = Annotated[
    str, Meta(min_length=1, description="Condition on columns of the item table, such as \"genres contains 'Comedy'\".")
]
AllowList = Annotated[list[Id], Meta(description="The only items that may be returned.")]
DenyList = Annotated[list[Id], Meta(description="Items that may not be returned.")]
Exact = Annotated[bool, Meta(description="Search exactly, without the model's search config.")]
Diversity = Annotated[float, Meta(ge=0, le=1, description="Vary the list: 0 by scores alone, to 1.")]
Explain = Annotated[bool, Meta(description="Name the items of the history that contribute most to each score.")]
WithTitles = Annotated[bool, Meta(description="Return titles, where the model has them.")]
SkipUnknown = Annotated[bool, Meta(description="Leave out ids that the model does not know, and list them.")]
ExcludeSeen = Annotated[bool, Meta(description="Leave out items of the training interactions or of the history.")]


class WidthOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model answers, and at which width."""

    model: ModelName | UnsetType = UNSET
    width: Width | UnsetType = UNSET
    dimensions: Dimensions | UnsetType = UNSET


class ListOptions(WidthOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of a list of items."""

    k: Count = 10
    allow: AllowList | UnsetType = UNSET
    deny: DenyList | UnsetType = UNSET
    where: Condition | UnsetType = UNSET
    titles: WithTitles = True
    skip_unknown: SkipUnknown = False


class RecommendOptions(ListOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of recommendations."""

    exclude_seen: ExcludeSeen = True
    exact: Exact = False
    diversity: Diversity | UnsetType = UNSET
    explain: Explain = False


class RecommendRequest(RecommendOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Recommendations for users of the model, or for a new one by a history of items: one of the two."""

    users: Annotated[list[Id], Meta(min_length=1, description="Users, each of whom gets a list.")] | UnsetType = UNSET
    history: Annotated[list[Id], Meta(description="Items of a new user, which are folded in.")] | UnsetType = UNSET
    weights: (
        Annotated[list[float], Meta(description="Importance of each item of the history, above 0.")] | UnsetType
    ) = UNSET


class ScoreRequest(WidthOptions, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Pairs to score: two lists of equal length, or one of them with a single id."""

    users: Annotated[list[Id], Meta(min_length=1)]
    items: Annotated[list[Id], Meta(min_length=1)]


class NoOptions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The query string of a route without parameters."""


class ReloadRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which model to load again; left out, all of them."""

    model: ModelName | UnsetType = UNSET


class Contribution(msgspec.Struct, frozen=True):
    """An item of the history and its part of a score."""

    id: Id
    contribution: float
    title: str | UnsetType = UNSET


class ScoredItem(msgspec.Struct, frozen=True):
    """An item of a list."""

    id: Id
    score: float
    title: str | UnsetType = UNSET
    model: str | UnsetType = UNSET  # of an interleaved list: the model that contributed the item
    because: list[Contribution] | UnsetType = UNSET


class ItemList(msgspec.Struct, frozen=True):
    """The items for one user, best first."""

    model: str
    version: str
    width: int
    items: list[ScoredItem]
    user: Id | UnsetType = UNSET
    arm: str | UnsetType = UNSET  # of the split
    narrowed: bool = False  # answered at a narrower width than the widest, under load
    unknown_items: list[Id] | UnsetType = UNSET  # of allow-list, deny-list and history; for skip_unknown


class ItemLists(msgspec.Struct, frozen=True):
    """The lists of a batch, in the order of its users, and the ids that were left out."""

    results: list[ItemList]
    unknown_users: list[Id]
    unknown_items: list[Id]


class Neighbours(msgspec.Struct, frozen=True):
    """Items of highest cosine similarity, best first."""

    model: str
    version: str
    width: int
    item: Id
    items: list[ScoredItem]
    unknown_items: list[Id] | UnsetType = UNSET


class Scores(msgspec.Struct, frozen=True):
    """Scores of pairs, in the order of the request."""

    model: str
    version: str
    width: int
    scores: list[float]


class Embedding(msgspec.Struct, frozen=True):
    """The vector of a user or an item."""

    model: str
    version: str
    width: int
    id: Id
    vector: list[float]


class ModelDescription(msgspec.Struct, frozen=True):
    """A model that is served."""

    name: str
    version: str
    loaded_at: str  # ISO 8601
    widths: list[int]
    n_users: int
    n_items: int
    columns: dict[str, str]  # of the item table, with their types
    has_titles: bool
    milliseconds: dict[str, float]  # of processor time of one request by width, as measured at its loading


class ModelDescriptions(msgspec.Struct, frozen=True):
    """The models that are served, and the split of users between them."""

    models: list[ModelDescription]
    split: dict[str, float]


class Reloaded(msgspec.Struct, frozen=True):
    """Outcome of loading models again; a model that failed keeps its former version."""

    versions: dict[str, str]
    failures: dict[str, str]


class Problem(msgspec.Struct, frozen=True):
    """An error, by RFC 9457."""

    title: str
    status: int
    detail: str
    request_id: str
    parameter: str | UnsetType = UNSET


def given(value: T | UnsetType) -> T | None:
    """Return the value of a field; None where it was left out."""
    return None if isinstance(value, UnsetType) else value


def encode(message: Any) -> bytes:
    """Return a message as JSON."""
    return _ENCODER.encode(message)


_ENCODER = msgspec.json.Encoder()

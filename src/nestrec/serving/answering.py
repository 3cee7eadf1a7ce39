"""Answers to requests, computed by a served model: no HTTP in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import UNSET

from nestrec.errors import OptionError, UnknownIdError
from nestrec.reranking.diversify import Diversify
from nestrec.retrieval.id_lookup import Unknown, look_up_one
from nestrec.retrieval.ranking import Ranking
from nestrec.serving.interleaving import interleave
from nestrec.serving.messages import (
    Embedding,
    Id,
    ItemList,
    ItemLists,
    ListOptions,
    Neighbours,
    RecommendOptions,
    RecommendRequest,
    ScoredItem,
    ScoreRequest,
    Scores,
    given,
)
from nestrec.serving.model_set import Choice
from nestrec.serving.scored_items import explain_items, list_items, with_model
from nestrec.serving.served_model import ServedModel

Widths = dict[str, int]  # the width of each model

_THREADS = 1  # of a request; requests share the processors


def recommend_user(
    choice: Choice, widths: Widths, user: Id, options: RecommendOptions, *, seed: str, narrowed: bool = False
) -> ItemList:
    """Return the list of one user, interleaved where the choice is of two models."""
    found = {served.name: _recommend_one(served, user, options, widths[served.name]) for served in choice.models}
    lists = {}
    for served in choice.models:
        ranking = found[served.name]
        items = list_items(served, ranking.ids, ranking.scores, titles=options.titles)
        lists[served.name] = explain_items(served, items, widths[served.name], user=user) if options.explain else items
    items = next(iter(lists.values()))
    if len(lists) > 1:
        items = [with_model(item, model) for model, item in interleave(lists, options.k, f"{seed} {user}")]
    unknown = _merge_unknown(list(found.values()))
    user = next(iter(found.values())).queries.tolist()[0]  # as the model spells it
    return _describe(choice, widths, items, options, user=user, narrowed=narrowed, unknown_items=unknown)


def recommend_users(
    choices: Sequence[Choice], widths: Widths, request: RecommendRequest, *, seed: str, narrowed: bool = False
) -> ItemLists:
    """Return the lists of a batch; `choices` are those of its users. Users of one model are searched together."""
    users = list(given(request.users) or ())
    results: dict[int, ItemList] = {}
    unknown_users: list[Id] = []
    unknown_items: list[Id] = []
    for choice, places in _group(choices).items():
        known = _find_known(choice, users, places) if request.skip_unknown else places
        unknown_users += [users[place] for place in sorted(set(places) - set(known))]
        for place, found in zip(
            known, _recommend_group(choice, widths, [users[p] for p in known], request, seed, narrowed), strict=True
        ):
            unknown_items = unknown_items or list(given(found.unknown_items) or ())
            results[place] = found
    return ItemLists([results[place] for place in sorted(results)], unknown_users, unknown_items)


def recommend_history(choice: Choice, widths: Widths, request: RecommendRequest, *, narrowed: bool) -> ItemLists:
    """Return the list of a new user by a history, which is folded in."""
    (served,) = choice.models
    history, weights = list(given(request.history) or ()), given(request.weights)
    width = widths[served.name]
    found = served.model.recommend_for(
        [history], weights=None if weights is None else [list(weights)], **_arguments(request, width)
    )
    rows = list(found.rows())
    items = list_items(served, *rows[0][1:], titles=request.titles) if rows else []
    if request.explain and items:
        known = served.model.items.index_of(history, unknown="mark")
        own = served.model.items.ids_at(known[known >= 0]).tolist()
        items = explain_items(served, items, width, history=own)
    unknown = found.skipped_items.tolist()
    return ItemLists([_describe(choice, widths, items, request, narrowed=narrowed)], [], unknown)


def find_neighbours(served: ServedModel, width: int, item: Id, options: ListOptions) -> Neighbours:
    """Return the items most similar to an item."""
    query = served.model.items.ids_at([look_up_one(served.model.items, item, "item")]).tolist()[0]
    found = served.model.similar_items(query, options.k, width, threads=_THREADS, **_filters(options))
    items = list_items(served, found.ids, found.scores, titles=options.titles)
    unknown = found.skipped_items.tolist() if options.skip_unknown else UNSET
    return Neighbours(served.name, served.version, width, query, items, unknown)


def score_pairs(served: ServedModel, width: int, request: ScoreRequest) -> Scores:
    """Return the scores of pairs."""
    users, items = request.users, request.items
    if len(users) != len(items) and 1 not in (len(users), len(items)):
        raise OptionError(
            f"users and items must have the same length, or one of them a single id; got {len(users)} and {len(items)}",
            option="items",
        )
    longest = max(len(users), len(items))
    user_ids, item_ids = (list(ids) * longest if len(ids) == 1 else list(ids) for ids in (users, items))
    return Scores(served.name, served.version, width, served.model.score(user_ids, item_ids, width).tolist())


def find_embedding(served: ServedModel, width: int, side: str, id_: Id) -> Embedding:
    """Return the vector of a user or an item at a width."""
    users = side == "users"  # else items
    vocabulary = served.model.users if users else served.model.items
    row = look_up_one(vocabulary, id_, "user" if users else "item")
    matrix = served.model.user_embeddings if users else served.model.item_embeddings
    own = vocabulary.ids_at(np.array([row])).tolist()[0]
    return Embedding(served.name, served.version, width, own, matrix[row, :width].tolist())


def _recommend_one(served: ServedModel, user: Id, options: RecommendOptions, width: int) -> Ranking:
    """Return the ranking of a user, who must be known whatever the options say of unknown ids."""
    try:
        found = served.model.recommend(user, **_arguments(options, width))
    except UnknownIdError:
        look_up_one(served.model.users, user, "user")
        raise
    if len(found.queries) == 0:
        look_up_one(served.model.users, user, "user")
    return found


def _recommend_group(
    choice: Choice,
    widths: Widths,
    users: list[Id],
    request: RecommendRequest,
    seed: str,
    narrowed: bool,  # noqa: FBT001
) -> list[ItemList]:
    """Return the lists of users that the same models answer."""
    if not users:
        return []
    if len(choice.models) > 1:
        return [recommend_user(choice, widths, user, request, seed=seed, narrowed=narrowed) for user in users]
    (served,) = choice.models
    found = served.model.recommend(users, **_arguments(request, widths[served.name]))
    unknown, lists = _merge_unknown([found]), []
    for user, ids, scores in found.rows():
        items = list_items(served, ids, scores, titles=request.titles)
        if request.explain:
            items = explain_items(served, items, widths[served.name], user=user)
        lists.append(_describe(choice, widths, items, request, user=user, narrowed=narrowed, unknown_items=unknown))
    return lists


def _arguments(options: RecommendOptions, width: int) -> dict[str, Any]:
    diversity = given(options.diversity)
    return {
        "k": options.k,
        "width": width,
        "exclude_seen": options.exclude_seen,
        "exact": options.exact,
        "rerank": None if diversity is None else Diversify(diversity),
        "threads": _THREADS,
        **_filters(options),
    }


def _filters(options: ListOptions) -> dict[str, Any]:
    unknown: Unknown = "skip" if options.skip_unknown else "raise"
    return {
        "allow": given(options.allow),
        "deny": given(options.deny),
        "where": given(options.where),
        "unknown": unknown,
    }


def _group(choices: Sequence[Choice]) -> dict[Choice, list[int]]:
    groups: dict[Choice, list[int]] = {}
    for place, choice in enumerate(choices):
        groups.setdefault(choice, []).append(place)
    return groups


def _find_known(choice: Choice, users: list[Id], places: list[int]) -> list[int]:
    """Return the places of the users that every model of the choice knows."""
    asked = [users[place] for place in places]
    known = np.ones(len(places), dtype=np.bool_)
    for served in choice.models:
        known &= served.model.users.index_of(asked, unknown="mark") >= 0
    return [place for place, is_known in zip(places, known.tolist(), strict=True) if is_known]


def _merge_unknown(rankings: list[Ranking]) -> list[Id]:
    return list(dict.fromkeys(item for ranking in rankings for item in ranking.skipped_items.tolist()))


def _describe(
    choice: Choice,
    widths: Widths,
    items: list[ScoredItem],
    options: RecommendOptions,
    *,
    user: Id | None = None,
    narrowed: bool,
    unknown_items: list[Id] | None = None,
) -> ItemList:
    names = [served.name for served in choice.models]
    return ItemList(
        model="+".join(names),
        version="+".join(served.version for served in choice.models),
        width=max(widths[name] for name in names),
        items=items,
        user=UNSET if user is None else user,
        arm=choice.arm or UNSET,
        narrowed=narrowed,
        unknown_items=unknown_items if options.skip_unknown and unknown_items is not None else UNSET,
    )

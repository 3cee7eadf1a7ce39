"""The routes answer as the library does, at the width asked for, and refuse what breaks a rule by its status."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from nestrec import NestedEmbeddings
from nestrec.reranking import Diversify
from nestrec.serving.limits import Limits
from nestrec.serving.served_model import ServedModel
from tests.serving.asgi import Client

DEFAULT = Limits()


def ids_of(items: list[dict[str, Any]]) -> list[Any]:
    return [item["id"] for item in items]


@pytest.fixture
def user(shop: NestedEmbeddings) -> Any:
    return shop.users.ids.tolist()[3]


@pytest.mark.parametrize("width", [4, 8, 16])
def test_a_list_is_that_of_the_library_with_scores_titles_model_and_width(
    client: Client, shop: NestedEmbeddings, served: ServedModel, user: Any, width: int
) -> None:
    reply = client.get(f"/v1/recommend/{user}", k=5, width=width)
    ranking = shop.recommend(user, 5, width)
    assert reply.status == 200
    answer = reply.json
    assert (answer["user"], answer["model"], answer["width"], answer["narrowed"]) == (user, "shop", width, False)
    assert answer["version"] == reply.headers["x-model-version"] == served.version
    assert ids_of(answer["items"]) == ranking.ids.tolist()
    assert np.array([item["score"] for item in answer["items"]], dtype=np.float32).tolist() == ranking.scores.tolist()
    assert ranking.titles is not None
    assert [item["title"] for item in answer["items"]] == ranking.titles.tolist()


def test_dimensions_is_another_name_of_width(client: Client, user: Any) -> None:
    by_width = client.get(f"/v1/recommend/{user}", width=8)
    assert client.get(f"/v1/recommend/{user}", dimensions=8).body == by_width.body
    assert client.get(f"/v1/recommend/{user}", dimensions=8, width=4).status == 422


def test_without_a_width_the_widest_answers(client: Client, user: Any) -> None:
    assert client.get(f"/v1/recommend/{user}").json["width"] == 16


def test_options_of_lists_reach_the_library(client: Client, shop: NestedEmbeddings, user: Any) -> None:
    items = shop.items.ids.tolist()
    cases: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"allow": items[:9]}, {"allow": items[:9]}),
        ({"deny": items[:60]}, {"deny": items[:60]}),
        ({"where": "colour = 'red'"}, {"where": "colour = 'red'"}),
        ({"exact": "true"}, {"exact": True}),
        ({"exclude_seen": "false"}, {"exclude_seen": False}),
        ({"diversity": 0.7}, {"rerank": Diversify(0.7)}),
    ]
    for query, options in cases:
        found = client.get(f"/v1/recommend/{user}", k=7, **query)
        assert ids_of(found.json["items"]) == shop.recommend(user, 7, **options).ids.tolist(), query


def test_an_explanation_names_the_items_of_the_history(client: Client, shop: NestedEmbeddings, user: Any) -> None:
    (item,) = client.get(f"/v1/recommend/{user}", k=1, explain="true").json["items"]
    found = shop.explain(user, item["id"])
    assert ids_of(item["because"]) == found.items[:5].tolist()
    assert item["because"][0]["contribution"] == pytest.approx(found.contributions[0])
    assert item["because"][0]["title"] == f"Title of {found.items[0]}"


def test_titles_can_be_left_out(client: Client, user: Any) -> None:
    assert "title" not in client.get(f"/v1/recommend/{user}", titles="false").json["items"][0]


def test_a_batch_has_a_list_for_each_user_in_their_order(client: Client, shop: NestedEmbeddings) -> None:
    users = shop.users.ids.tolist()[5:2:-1]
    answer = client.post("/v1/recommend", {"users": users, "k": 4, "width": 8}).json
    assert [found["user"] for found in answer["results"]] == users
    assert [ids_of(found["items"]) for found in answer["results"]] == shop.recommend(users, 4, 8).ids.tolist()


def test_unknown_ids_fail_or_are_left_out_and_listed(client: Client, shop: NestedEmbeddings, user: Any) -> None:
    request = {"users": [user, "nobody"], "deny": ["nothing"], "k": 2}
    assert client.post("/v1/recommend", request).status == 404
    answer = client.post("/v1/recommend", {**request, "skip_unknown": True}).json
    assert [found["user"] for found in answer["results"]] == [user]
    assert (answer["unknown_users"], answer["unknown_items"]) == (["nobody"], ["nothing"])
    assert client.get("/v1/recommend/nobody", skip_unknown="true").status == 404
    assert client.get(f"/v1/recommend/{user}", deny="nothing").status == 404
    found = client.get(f"/v1/recommend/{user}", deny="nothing", skip_unknown="true").json
    assert found["unknown_items"] == ["nothing"]


def test_a_history_is_folded_in(client: Client, shop: NestedEmbeddings) -> None:
    history = shop.items.ids.tolist()[2:6]
    request = {"history": history, "weights": [1, 2, 3, 4], "k": 5, "explain": True}
    answer = client.post("/v1/recommend", request).json
    (found,) = answer["results"]
    assert ids_of(found["items"]) == shop.recommend_for([history], 5, weights=[[1, 2, 3, 4]]).ids[0].tolist()
    assert "user" not in found
    assert set(ids_of(found["items"][0]["because"])) <= set(history)


def test_a_history_of_unknown_items_alone_has_an_empty_list(client: Client) -> None:
    answer = client.post("/v1/recommend", {"history": ["nothing"], "skip_unknown": True}).json
    assert answer["results"][0]["items"] == []
    assert answer["unknown_items"] == ["nothing"]


def test_neighbours_scores_and_vectors_are_those_of_the_library(
    client: Client, shop: NestedEmbeddings, user: Any
) -> None:
    items = shop.items.ids.tolist()
    near = client.get(f"/v1/similar/{items[0]}", k=3, width=4).json
    assert (near["item"], ids_of(near["items"])) == (items[0], shop.similar_items(items[0], 3, 4).ids.tolist())
    scores = client.post("/v1/score", {"users": [user], "items": items[:3], "width": 8}).json["scores"]
    assert scores == shop.score(user, items[:3], 8).tolist()
    vector = client.get(f"/v1/embeddings/users/{user}", width=4).json["vector"]
    assert vector == shop.user_embeddings[shop.users.index_of(user), :4].tolist()
    assert client.get(f"/v1/embeddings/items/{items[1]}").json["id"] == items[1]


def test_models_are_described(client: Client, served: ServedModel) -> None:
    (described,) = client.get("/v1/models").json["models"]
    assert described == client.get("/v1/models/shop").json
    assert (described["version"], described["widths"], described["has_titles"]) == (served.version, [4, 8, 16], True)
    assert described["columns"]["colour"] == "VARCHAR"


def test_the_tag_answers_a_client_that_has_the_list(client: Client, user: Any) -> None:
    tag = client.get(f"/v1/recommend/{user}").headers["etag"]
    again = client.get(f"/v1/recommend/{user}", headers={"If-None-Match": f'"other", W/{tag}'})
    assert (again.status, again.body) == (304, b"")
    assert client.get(f"/v1/recommend/{user}", headers={"If-None-Match": tag}, width=8).status == 200


@pytest.mark.parametrize(
    ("path", "query", "status", "word"),
    [
        ("/v1/recommend/{user}", {"width": 5}, 422, "width"),
        ("/v1/recommend/{user}", {"k": 0}, 422, "k"),
        ("/v1/recommend/{user}", {"k": DEFAULT.k + 1}, 422, "k must be at most"),
        ("/v1/recommend/{user}", {"k": "many"}, 422, "k"),
        ("/v1/recommend/{user}", {"k": [1, 2]}, 422, "once"),
        ("/v1/recommend/{user}", {"kk": 5}, 422, "kk"),
        ("/v1/recommend/{user}", {"where": "colour ="}, 422, "colour"),
        ("/v1/recommend/{user}", {"where": "x" * (DEFAULT.where_length + 1)}, 422, "where"),
        ("/v1/recommend/{user}", {"diversity": 2}, 422, "diversity"),
        ("/v1/recommend/{user}", {"explain": "true", "k": DEFAULT.explained + 1}, 422, "explain"),
        ("/v1/recommend/{user}", {"deny": "x" * (DEFAULT.id_length + 1)}, 422, "deny"),
        ("/v1/recommend/{user}", {"model": "../shop"}, 404, "model"),
        ("/v1/recommend/{user}", {"where": "x" * DEFAULT.query}, 414, "query"),
        ("/v1/recommend/nobody", {}, 404, "nobody"),
        ("/v1/recommend/" + "x" * (DEFAULT.id_length + 1), {}, 422, "user"),
        ("/v1/similar/nothing", {}, 404, "nothing"),
        ("/v1/similar/nothing", {"exact": "true"}, 422, "exact"),
        ("/v1/embeddings/shops/1", {}, 404, "users or items"),
        ("/v1/models/..%2f..%2fetc", {}, 404, "model"),
        ("/v1/models/../../../etc/passwd", {}, 404, ""),
        ("/v1/models", {"model": "shop"}, 422, "model"),
        ("/v1/nothing", {}, 404, ""),
        ("/v1/recommend", {}, 405, "/v1/recommend takes POST, got GET; there is GET /v1/recommend/{user};"),
        ("/v1/score", {}, 405, "/v1/score takes POST, got GET; /openapi.json"),
    ],
)
def test_a_question_that_breaks_a_rule_is_refused(
    client: Client, user: Any, path: str, query: dict[str, Any], status: int, word: str
) -> None:
    reply = client.get(path.format(user=user), **query)
    assert (reply.status, reply.headers["content-type"]) == (status, "application/problem+json")
    problem = reply.json
    assert word in problem["detail"]
    assert problem["status"] == status
    assert problem["request_id"] == reply.headers["x-request-id"]


@pytest.mark.parametrize(
    ("message", "word"),
    [
        ({}, "users or history"),
        ({"users": ["a"], "history": ["b"]}, "users or history"),
        ({"users": []}, "users"),
        ({"users": [1.5]}, "users"),
        ({"users": [None]}, "users"),
        ({"users": None}, "users"),
        ({"users": ["a"], "frob": 1}, "frob"),
        ({"users": ["a"], "weights": [1]}, "weights"),
        ({"history": ["a"], "weights": [1, 2]}, "weights"),
        ({"users": ["a"] * (DEFAULT.users + 1)}, "users must be at most"),
        ({"users": ["a"] * 1000, "k": 101}, "number of users"),
        ({"users": ["a"] * 6, "explain": True}, "explain"),
        ({"history": ["a"] * (DEFAULT.items + 1)}, "history"),
        ({"users": ["\ud800"]}, ""),
        ([], "object"),
    ],
)
def test_a_batch_that_breaks_a_rule_is_refused(client: Client, message: Any, word: str) -> None:
    reply = client.post("/v1/recommend", message)
    assert reply.status in (400, 422)
    assert word in reply.json["detail"]


def test_weights_that_no_fold_in_takes_are_refused(client: Client, shop: NestedEmbeddings) -> None:
    history = shop.items.ids.tolist()[:1]
    assert client.post("/v1/recommend", {"history": history, "weights": [-1]}).status == 422


def test_pairs_of_different_lengths_are_refused(client: Client, user: Any) -> None:
    assert client.post("/v1/score", {"users": [user] * 2, "items": ["a"] * 3}).status == 422

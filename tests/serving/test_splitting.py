"""Users are split by a hash of their id: by the shares, for good, into one arm each; two arms can be interleaved."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from nestrec import NestedEmbeddings
from nestrec.serving.app import Server
from nestrec.serving.interleaving import interleave
from nestrec.serving.messages import ScoredItem
from nestrec.serving.model_set import ModelSet
from nestrec.serving.served_model import ServedModel, serve_model
from nestrec.serving.splitting import Split
from tests.serving.asgi import Client, client_of


def test_shares_are_kept_and_a_growing_share_moves_few_users() -> None:
    users = range(20_000)
    split = Split({"old": 0.9, "new": 0.1})
    arms = {user: split.choose(user) for user in users}
    assert Counter(arms.values())["new"] / len(users) == pytest.approx(0.1, abs=0.01)
    grown = Split({"old": 0.8, "new": 0.2})
    moved = [user for user in users if grown.choose(user) != arms[user]]
    assert {arms[user] for user in moved} == {"old"}
    assert len(moved) / len(users) == pytest.approx(0.1, abs=0.01)


def test_salts_divide_users_independently() -> None:
    first, second = Split({"a": 0.5, "b": 0.5}, "first"), Split({"a": 0.5, "b": 0.5}, "second")
    both = sum(first.choose(user) == second.choose(user) for user in range(10_000))
    assert both / 10_000 == pytest.approx(0.5, abs=0.03)


@pytest.fixture(scope="module")
def pair(shop: NestedEmbeddings) -> list[ServedModel]:
    other = replace(shop, item_embeddings=np.ascontiguousarray(shop.item_embeddings[::-1]), check=False)
    return [serve_model("old", shop), serve_model("new", other)]


@pytest.fixture
def split_client(pair: list[ServedModel]) -> Iterator[Client]:
    with client_of(Server(ModelSet.of(pair, Split({"old": 0.5, "new": 0.5})))) as client:
        yield client


def test_the_answer_names_the_arm_and_is_that_of_its_model(split_client: Client, pair: list[ServedModel]) -> None:
    split = Split({"old": 0.5, "new": 0.5})
    models = {served.name: served.model for served in pair}
    users = pair[0].model.users.ids.tolist()
    for user in users[:20]:
        answer = split_client.get(f"/v1/recommend/{user}", k=3).json
        assert answer["arm"] == answer["model"] == split.choose(user)
        assert [item["id"] for item in answer["items"]] == models[answer["arm"]].recommend(user, 3).ids.tolist()
    batch = split_client.post("/v1/recommend", {"users": users, "k": 3}).json["results"]
    assert [found["user"] for found in batch] == users
    assert [found["arm"] for found in batch] == [split.choose(user) for user in users]
    for found in batch:
        expected = models[found["model"]].recommend(found["user"], 3).ids.tolist()
        assert [item["id"] for item in found["items"]] == expected


def test_a_model_that_is_named_answers_outside_of_the_split(split_client: Client, pair: list[ServedModel]) -> None:
    for user in pair[0].model.users.ids.tolist()[:8]:
        answer = split_client.get(f"/v1/recommend/{user}", model="new").json
        assert answer["model"] == "new"
        assert "arm" not in answer


def test_an_interleaved_list_names_the_model_of_each_item(pair: list[ServedModel]) -> None:
    user = pair[0].model.users.ids.tolist()[0]
    with client_of(Server(ModelSet.of(pair, Split({"old+new": 1.0})))) as client:
        reply = client.get(f"/v1/recommend/{user}", k=10, headers={"X-Request-ID": "r1"})
        again = client.get(f"/v1/recommend/{user}", k=10, headers={"X-Request-ID": "r1"})
        batch = client.post("/v1/recommend", {"users": [user, "nobody"], "k": 4, "skip_unknown": True}).json
    answer = reply.json
    assert (answer["arm"], answer["model"]) == ("old+new", "old+new")
    assert "etag" not in reply.headers
    assert again.json == answer
    ids = [item["id"] for item in answer["items"]]
    assert len(set(ids)) == 10
    assert Counter(item["model"] for item in answer["items"]) == {"old": 5, "new": 5}
    assert (len(batch["results"]), batch["unknown_users"]) == (1, ["nobody"])
    assert len(batch["results"][0]["items"]) == 4


def items(*ids: int) -> list[ScoredItem]:
    return [ScoredItem(id_, float(-place)) for place, id_ in enumerate(ids)]


def test_team_drafts_are_fair_and_complete() -> None:
    lists = {"a": items(1, 2, 3, 4), "b": items(2, 5, 1, 6)}
    first: Counter[str] = Counter()
    for seed in range(2_000):
        drafted = interleave(lists, 4, str(seed))
        assert len({item.id for _, item in drafted}) == 4
        assert Counter(model for model, _ in drafted) == {"a": 2, "b": 2}
        first[drafted[0][0]] += 1
    assert first["a"] == pytest.approx(1_000, abs=120)


def test_a_list_that_ends_leaves_the_rest_to_the_other() -> None:
    drafted = interleave({"a": items(1), "b": items(1, 2, 3)}, 5, "x")
    assert sorted(str(item.id) for _, item in drafted) == ["1", "2", "3"]
    assert interleave({"a": [], "b": []}, 5, "x") == []

"""Both clients give the library's answers through a server, send again what failed for a moment, and raise the rest."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from nestrec import NestedEmbeddings
from nestrec.client import AsyncClient, Client
from nestrec.errors import OptionError, RequestError
from nestrec.serving.app import Server
from nestrec.serving.messages import given
from nestrec.serving.model_set import ModelSet
from nestrec.serving.served_model import ServedModel
from tests.serving.process import ServerProcess, running

KEY, ADMIN = "a-key-of-the-shop-1", "a-key-of-the-admin-1"


@pytest.fixture(scope="module")
def process(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    place = tmp_path_factory.mktemp("keys")
    (place / "keys").write_text(f"web {KEY}\n")
    (place / "admin").write_text(f"ops {ADMIN}\n")
    with running(folder, "--api-keys", place / "keys", "--admin-keys", place / "admin") as process:
        yield process


def test_every_method_reaches_its_route(process: ServerProcess, shop: NestedEmbeddings) -> None:
    users, items = shop.users.ids.tolist(), shop.items.ids.tolist()
    with Client(f"http://127.0.0.1:{process.port}/", KEY) as client:
        found = client.recommend(users[0], k=4, width=8, deny=items[:3], explain=True, exclude_seen=False)
        expected = shop.recommend(users[0], 4, 8, deny=items[:3], exclude_seen=False).ids.tolist()
        assert [item.id for item in found.items] == expected
        assert (found.width, given(found.user), found.items[0].title) == (8, users[0], f"Title of {expected[0]}")
        long = client.recommend(users[0], deny=items[:60], k=4)
        assert [item.id for item in long.items] == shop.recommend(users[0], 4, deny=items[:60]).ids.tolist()
        batch = client.recommend_batch([*users[:2], "nobody"], k=3, skip_unknown=True)
        assert [given(one.user) for one in batch.results] == users[:2]
        assert batch.unknown_users == ["nobody"]
        (new,) = client.recommend_for(items[:3], [1, 2, 3], k=3).results
        assert [item.id for item in new.items] == shop.recommend_for([items[:3]], 3, weights=[[1, 2, 3]]).ids[
            0
        ].tolist()
        near = client.similar_items(items[0], k=3, where="price < 40")
        assert [item.id for item in near.items] == shop.similar_items(items[0], 3, where="price < 40").ids.tolist()
        assert client.score(users[:1], items[:3], width=4).scores == shop.score(users[0], items[:3], 4).tolist()
        assert client.user_embedding(users[1], width=4).vector == shop.user_embeddings[1, :4].tolist()
        assert client.item_embedding(items[1]).vector == shop.item_embeddings[1].tolist()
        assert [model.name for model in client.models().models] == ["shop"]
    with Client(f"http://127.0.0.1:{process.port}", ADMIN) as client:
        assert set(client.reload().versions) == {"shop"}
        assert set(client.reload("shop").versions) == {"shop"}


def test_refusals_are_errors_with_status_and_request_id(process: ServerProcess) -> None:
    with Client(f"http://127.0.0.1:{process.port}", KEY) as client:
        for call, status in (
            (lambda: client.recommend("no/body?x=1#y"), 404),
            (lambda: client.recommend("u01", width=5), 422),
            (lambda: client.reload(), 401),
        ):
            with pytest.raises(RequestError) as error:
                call()
            assert error.value.status == status
            assert error.value.request_id is not None
        with pytest.raises(RequestError, match="no/body"):
            client.recommend("no/body?x=1#y")
    with (
        Client(f"http://127.0.0.1:{process.port}", "a-wrong-key-of-20-chars") as client,
        pytest.raises(RequestError) as e,
    ):
        client.models()
    assert "a-wrong-key" not in str(e.value)


def test_a_server_that_is_not_there_is_an_error() -> None:
    with Client("http://127.0.0.1:9", retries=0) as client, pytest.raises(RequestError, match="cannot be reached") as e:
        client.models()
    assert e.value.status is None
    with pytest.raises(OptionError):
        Client(retries=-1)


Reply = tuple[int, bytes]
Answering = Callable[[httpx.Request], httpx.Response]


def answering(*replies: Reply | None) -> tuple[Answering, list[str]]:
    """Return what answers with these replies, one after another, None for no connection, and the paths it is asked."""
    waiting, seen = list(replies), []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        reply = waiting.pop(0)
        if reply is None:
            raise httpx.ConnectError("no connection")
        return httpx.Response(reply[0], content=reply[1], headers={"Retry-After": "0"})

    return answer, seen


BUSY = (429, b"{}")
MODELS = (200, b'{"models": [], "split": {}}')
CASES: list[tuple[list[Reply | None], int, int | None]] = [  # replies, requests that are sent, status of the error
    ([BUSY, None, MODELS], 3, None),
    ([BUSY, BUSY, BUSY, MODELS], 3, 429),
    ([(503, b""), MODELS], 2, None),
    ([(500, b"\xff oops"), MODELS], 1, 500),
    ([(200, b"<html>")], 1, 200),
    ([(200, b'{"models": 3}')], 1, 200),
]


@pytest.mark.parametrize(("replies", "sent", "status"), CASES)
@pytest.mark.parametrize("asynchronous", [False, True])
def test_what_fails_for_a_moment_is_sent_again(
    replies: list[Reply | None], sent: int, status: int | None, asynchronous: bool
) -> None:
    answer, seen = answering(*replies)
    outcome: RequestError | None = None
    try:
        if asynchronous:
            asyncio.run(ask_models(answer))
        else:
            with httpx.Client(transport=httpx.MockTransport(answer)) as http:
                Client(http=http).models()
    except RequestError as error:
        outcome = error
    assert len(seen) == sent
    assert (None if outcome is None else outcome.status) == status


async def ask_models(answer: Answering) -> None:
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as http:
        await AsyncClient(http=http).models()


def test_a_reload_is_never_sent_twice() -> None:
    answer, seen = answering(BUSY, MODELS)
    with httpx.Client(transport=httpx.MockTransport(answer)) as http, pytest.raises(RequestError):
        Client(http=http).reload()
    assert seen == ["/v1/admin/reload"]


def test_the_asynchronous_client_answers_alike(served: ServedModel, shop: NestedEmbeddings) -> None:
    users, items = shop.users.ids.tolist(), shop.items.ids.tolist()

    async def ask() -> None:
        transport = httpx.ASGITransport(app=Server(ModelSet.of([served])))
        async with httpx.AsyncClient(transport=transport) as http, AsyncClient("http://nestrec", http=http) as client:
            found, near, scores = await asyncio.gather(
                client.recommend(users[0], k=4), client.similar_items(items[0]), client.score(users[:1], items[:2])
            )
            assert [item.id for item in found.items] == shop.recommend(users[0], 4).ids.tolist()
            assert near.item == items[0]
            assert scores.scores == shop.score(users[0], items[:2]).tolist()
            assert len((await client.recommend_batch(users[:2])).results) == 2
            assert len((await client.recommend_for(items[:2])).results) == 1
            assert (await client.user_embedding(users[0])).id == users[0]
            assert (await client.item_embedding(items[0])).id == items[0]
            assert (await client.models()).models[0].name == "shop"
            with pytest.raises(RequestError):
                await client.reload()

    asyncio.run(ask())
    asyncio.run(AsyncClient().aclose())

"""Request ids, keys, limits on bodies and on requests in flight, deadlines, metrics and the access log."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from nestrec.errors import OptionError
from nestrec.serving import answering, endpoints
from nestrec.serving.access_log import AccessLog
from nestrec.serving.api_keys import ApiKeys
from nestrec.serving.app import Server, ServerOptions
from nestrec.serving.gate import Keys
from nestrec.serving.limits import Limits
from nestrec.serving.model_set import ModelSet
from nestrec.serving.served_model import ServedModel
from tests.serving.asgi import Client, ask, client_of

KEY, ADMIN = "a-key-of-the-shop-1", "a-key-of-the-admin-1"
JSON = {"content-type": "application/json"}


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def server_of(served: ServedModel, log: Path | None = None, **options: Any) -> Server:
    access_log = None if log is None else AccessLog(log)
    return Server(ModelSet.of([served]), ServerOptions(**options), access_log=access_log)


def test_a_request_id_is_kept_or_made(client: Client) -> None:
    assert client.get("/live", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    made = client.get("/live", headers={"X-Request-ID": "evil\nid"}).headers["x-request-id"]
    assert len(made) == 16
    assert made != client.get("/live").headers["x-request-id"]


@pytest.fixture
def guarded(served: ServedModel) -> Server:
    return server_of(served, keys=Keys(ApiKeys({"web": KEY}), ApiKeys({"ops": ADMIN})))


def test_routes_need_their_keys(guarded: Server) -> None:
    with client_of(guarded) as client:
        for path in ("/live", "/ready", "/openapi.json"):
            assert client.get(path).status == 200
        for headers in ({}, bearer("a-key-of-the-shop-2"), bearer(ADMIN), {"Authorization": f"Basic {KEY}"}):
            reply = client.get("/v1/models", headers=headers)
            assert (reply.status, reply.headers["www-authenticate"]) == (401, "Bearer")
        assert client.get("/v1/models", headers=bearer(KEY)).status == 200
        assert client.get("/v1/models", headers={"X-API-Key": KEY}).status == 200
        for path in ("/metrics", "/v1/admin/reload"):
            assert client.get(path, headers=bearer(KEY)).status == 401
        assert client.get("/metrics", headers=bearer(ADMIN)).status == 200


def test_administration_is_closed_without_admin_keys(client: Client) -> None:
    assert client.post("/v1/admin/reload", {}).status == 403


def test_a_file_of_keys_has_names_and_no_short_keys(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text(f"# clients\n\nweb {KEY}\nanother-key-of-20-chars\n")
    keys = ApiKeys.read(file)
    assert (keys.find(KEY.encode()), keys.find(b"another-key-of-20-chars"), keys.find(b"")) == ("web", "line-4", None)
    assert KEY not in repr(keys)
    for content in ("short", "a b c", f"web {KEY}\nweb {KEY}x", "", "# none"):
        file.write_text(content)
        with pytest.raises(OptionError) as error:
            ApiKeys.read(file)
        assert KEY not in str(error.value)
    file.write_bytes(b"\xff" * 20)
    for path in (file, tmp_path / "none"):
        with pytest.raises(OptionError):
            ApiKeys.read(path)


def test_bodies_are_limited(served: ServedModel) -> None:
    with client_of(server_of(served, limits=Limits(body=100, receive=0.05))) as client:
        large = [{"type": "http.request", "body": b"x" * 60, "more_body": True}] * 2
        for reply in (
            client.ask("POST", "/v1/score", body=b"{}", headers=JSON | {"content-length": "101"}),
            client.ask("POST", "/v1/score", incoming=large, headers=JSON),
        ):
            assert (reply.status, reply.headers["connection"]) == (413, "close")
        slow = client.ask("POST", "/v1/score", headers=JSON, incoming=large[:1])
        assert (slow.status, slow.headers["connection"]) == (408, "close")
        assert client.ask("POST", "/v1/score", body=b"{}").status == 415
        for body in (b"", b"{", b"\xff", b'{"users": [NaN]}'):
            assert client.ask("POST", "/v1/score", body=body, headers=JSON).status == 400, body


def test_nested_bodies_are_refused(client: Client) -> None:
    for body in (b"[" * 200_000, b'{"users": ' + b"[" * 200_000, b'{"a":' * 100_000):
        assert client.ask("POST", "/v1/score", body=body, headers=JSON).status in (400, 422)


def test_a_client_that_leaves_is_logged(served: ServedModel, tmp_path: Path) -> None:
    server = server_of(served, tmp_path / "log")
    with client_of(server) as client:
        client.ask("POST", "/v1/score", headers=JSON, incoming=[{"type": "http.disconnect"}])
    assert read_log(server, tmp_path / "log")[0]["status"] == 499


def slow_down(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    answer: Callable[..., Any] = answering.find_neighbours

    def answer_slowly(*arguments: Any) -> Any:
        time.sleep(seconds)
        return answer(*arguments)

    monkeypatch.setattr(endpoints, "find_neighbours", answer_slowly)


def test_more_requests_than_are_admitted_are_rejected(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(monkeypatch, 0.05)
    item = served.model.items.ids.tolist()[0]
    with client_of(server_of(served, limits=Limits(in_flight=3))) as client:
        replies = client.ask_at_once(*[("GET", f"/v1/similar/{item}", "")] * 5, ("GET", "/live", ""))
        assert sorted(reply.status for reply in replies) == [200, 200, 200, 200, 429, 429]
        assert {reply.headers["retry-after"] for reply in replies if reply.status == 429} == {"1"}
        assert client.get(f"/v1/similar/{item}").status == 200
        assert b'nestrec_rejected_total{reason="in_flight"} 2.0' in client.get("/metrics").body


def test_slow_clients_take_no_place_and_are_limited_by_themselves(served: ServedModel) -> None:
    part = {"type": "http.request", "body": b"{", "more_body": True}
    user = served.model.users.ids.tolist()[0]

    async def talk(server: Server) -> tuple[int, list[int]]:
        slow = [asyncio.create_task(ask(server, "POST", "/v1/score", headers=JSON, incoming=[part])) for _ in range(5)]
        await asyncio.sleep(0.05)
        quick = await ask(server, "GET", f"/v1/recommend/{user}")
        return quick.status, sorted(reply.status for reply in await asyncio.gather(*slow))

    with client_of(server_of(served, limits=Limits(in_flight=1, receive=0.2))) as client:
        assert client.run(talk(client.server)) == (200, [408, 408, 408, 408, 429])
        assert b'nestrec_rejected_total{reason="bodies"} 1.0' in client.get("/metrics").body


def test_an_answer_after_its_deadline_is_a_503_and_keeps_its_place(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow_down(monkeypatch, 0.4)
    item = served.model.items.ids.tolist()[0]
    with client_of(server_of(served, limits=Limits(in_flight=1, deadline=0.1))) as client:
        late = client.get(f"/v1/similar/{item}")
        assert (late.status, late.headers["retry-after"]) == (503, "1")
        assert client.get(f"/v1/similar/{item}").status == 429  # it is still computed
        client.run(asyncio.sleep(0.6))
        assert client.get("/v1/models").status == 200


def test_quick_answers_that_wait_too_long_are_a_503(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    answer: Callable[..., Any] = answering.find_embedding

    def answer_slowly(*arguments: Any) -> Any:
        time.sleep(0.08)
        return answer(*arguments)

    monkeypatch.setattr(endpoints, "find_embedding", answer_slowly)
    user = served.model.users.ids.tolist()[0]
    with client_of(server_of(served, limits=Limits(deadline=0.1))) as client:
        replies = client.ask_at_once(*[("GET", f"/v1/embeddings/users/{user}", "")] * 4)
    assert [reply.status for reply in replies] == [200, 200, 503, 503]


def test_a_failure_of_the_server_is_a_500_without_details(
    served: ServedModel, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: Any) -> Any:
        raise RuntimeError("a secret")

    monkeypatch.setattr(endpoints, "find_neighbours", fail)
    with client_of(server_of(served)) as client:
        reply = client.get("/v1/similar/1")
    assert reply.status == 500
    assert b"secret" not in reply.body
    assert reply.headers["x-request-id"] in caplog.text


def read_log(server: Server, path: Path) -> list[dict[str, Any]]:
    server._log.write()
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_access_log_says_who_answered_whom_without_ids_or_keys(served: ServedModel, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = server_of(served, log, keys=Keys(ApiKeys({"web": KEY})))
    user = served.model.users.ids.tolist()[7]
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with client_of(server) as client:
        headers = {**bearer(KEY), "X-Request-ID": "r1", "traceparent": parent}
        client.get(f"/v1/recommend/{user}", headers=headers, k=3, width=8)
        client.get("/v1/models", headers=bearer("a-wrong-key-of-20-chars"))
    first, second = read_log(server, log)
    first.pop("time"), first.pop("ms")
    assert first == {
        "request_id": "r1", "method": "GET", "route": "/v1/recommend/{user}", "status": 200, "client": "web",
        "trace_id": parent[3:35], "model": "shop", "version": served.version, "width": 8, "k": 3, "n_users": 1,
    }  # fmt: skip
    assert second["status"] == 401
    text = log.read_text()
    assert KEY not in text
    assert "a-wrong-key" not in text


def test_a_log_that_cannot_be_written_delays_nothing(served: ServedModel, monkeypatch: pytest.MonkeyPatch) -> None:
    log = AccessLog(Path("/dev/full"))
    server = Server(ModelSet.of([served]), access_log=log)
    with client_of(server) as client:
        assert client.get("/live").status == 200
        log.write()
        assert b"nestrec_access_log_dropped_lines 1.0" in client.get("/metrics").body


def test_a_log_is_written_while_the_server_lives(served: ServedModel, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server = server_of(served, log)

    async def live() -> str:
        async with server._live(None):
            await ask(server, "GET", "/live")
            await asyncio.sleep(0.5)
            first = log.read_text()
            await ask(server, "GET", "/ready")
        return first

    assert asyncio.run(live()).count("\n") == 1
    assert log.read_text().count("\n") == 2


def test_metrics_have_bounded_labels(client: Client, served: ServedModel) -> None:
    user = served.model.users.ids.tolist()[0]
    client.get(f"/v1/recommend/{user}", width=4)
    client.get("/no/such/path")
    client.ask("BREW", "/v1/models")
    text = client.get("/metrics").body.decode()
    assert 'nestrec_requests_total{method="GET",route="/v1/recommend/{user}",status="200"} 1.0' in text
    assert 'nestrec_request_seconds_count{route="/v1/recommend/{user}",width="4"} 1.0' in text
    assert 'nestrec_requests_total{method="GET",route="unmatched",status="404"} 1.0' in text
    assert 'method="other",route="unmatched",status="405"' in text
    assert f'nestrec_model{{model="shop",version="{served.version}"}} 1.0' in text
    assert "nestrec_in_flight 0.0" in text


def test_a_server_that_stops_is_live_and_not_ready(client: Client) -> None:
    assert client.get("/ready").status == 200
    client.server.begin_stop()
    assert (client.get("/live").status, client.get("/ready").status) == (200, 503)


def test_websockets_are_closed(client: Client) -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    client.run(client.server({"type": "websocket", "path": "/", "headers": []}, receive, send))
    assert sent == [{"type": "websocket.close", "code": 1000}]


def test_other_pages_can_be_added_behind_the_routes(served: ServedModel) -> None:
    async def show(request: Request) -> PlainTextResponse:
        return PlainTextResponse(f"page {request.url.path}")

    with client_of(Server(ModelSet.of([served]), pages=[Route("/{path:path}", show)])) as client:
        assert client.get("/").body == b"page /"
        assert client.get("/assets/x.js").status == 200
        assert client.get("/v1/models").json["models"][0]["name"] == "shop"
        assert client.get("/live").json == {"status": "live"}

"""`nestrec serve`: options become those of the server; tests/serving runs it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from nestrec.cli.server_limits import ServerLimits
from nestrec.embeddings import NestedEmbeddings
from nestrec.serving import run as serving_run
from nestrec.serving.app import Server
from nestrec.serving.limits import Limits
from nestrec.serving.narrowing import Narrowing
from tests.cli.conftest import Run
from tests.serving.asgi import client_of

KEY, ADMIN = "a-key-of-the-shop-1", "a-key-of-the-admin-1"


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Server, str]]:
    """Return the servers that would have been run, and where they listen."""
    servers: list[tuple[Server, str]] = []

    def note(server: Server, listening: socket.socket, announce: Callable[[], None]) -> None:
        servers.append((server, str(listening.getsockname()[0])))
        announce()

    monkeypatch.setattr(serving_run, "run", note)
    return servers


def test_it_listens_where_it_is_asked_to(run: Run, model: Path, started: list[tuple[Server, str]]) -> None:
    result = run("serve", model, "--port", "0")
    assert (result.code, result.out) == (0, "")
    assert "Serving model, version" in result.err
    assert "Listening at http://127.0.0.1:" in result.err
    run("serve", model, "--port", "0", "--host", "127.0.0.2")
    assert [address for _, address in started] == ["127.0.0.1", "127.0.0.2"]
    assert run("serve", model, "--port", "0", "--host", "no.such.host.invalid").code == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = run("serve", model, "--port", taken.getsockname()[1])
    assert (result.code, "give another port" in result.err) == (2, True)
    assert "of 127.0.0.1 is in use by another program" in result.err
    assert "Errno" not in result.err
    assert run("serve", model, "--port", "0", "--quiet").err == ""


def test_an_example_is_printed_that_answers(run: Run, tmp_path: Path, started: list[tuple[Server, str]]) -> None:
    vectors = [[1.0, 2.0], [2.0, 1.0], [0.5, 0.5]]
    odd = NestedEmbeddings.from_arrays([[1.0, 0.0]], vectors, [1, 2], users=["a/b c&d"], items=["x", "y", "z"])
    odd.save(tmp_path / "odd")
    result = run("serve", tmp_path / "odd", "--port", "0")
    listening, example = result.err.splitlines()[-3:-1]
    address = listening.removeprefix("Listening at ")
    assert example == f'Try: curl "{address}/v1/recommend/a%2Fb%20c%26d?k=2"'
    with client_of(started[0][0]) as client:
        reply = client.get("/v1/recommend/a/b c&d", k=2)
    assert [item["id"] for item in reply.json["items"]] == ["y", "x"]
    (tmp_path / "keys").write_text(f"web {KEY}\n")
    closed = run("serve", tmp_path / "odd", "--port", "0", "--api-keys", tmp_path / "keys")
    assert 'Try: curl -H "Authorization: Bearer KEY" "http://' in closed.err


def test_models_have_names_and_a_split(run: Run, model: Path, started: list[tuple[Server, str]]) -> None:
    words = ("serve", f"old={model}", f"new={model}", "--port", "0", "--split")
    for salt in ("", "second"):
        assert run(*words, "old=50,new=50", *(["--split-salt", salt] if salt else [])).code == 0
    (first, _), (second, _) = started
    with client_of(first) as client:
        assert client.get("/v1/models").json["split"] == {"old": 0.5, "new": 0.5}
    assert first.models.split is not None
    assert second.models.split is not None
    arms = [[split.choose(user) for user in range(50)] for split in (first.models.split, second.models.split)]
    assert arms[0] != arms[1]
    for split in ("old=50,newer=50", "old", "old=x", "old=0", "old=1,old=2", "old+old=1"):
        assert run(*words, split).code == 2, split
    assert run("serve", model, "--split-salt", "x").code == 2
    assert run("serve", model, model).code == 2
    assert run("serve", f"a b={model}").code == 2


def test_files_of_keys_are_read(run: Run, model: Path, tmp_path: Path, started: list[tuple[Server, str]]) -> None:
    (tmp_path / "keys").write_text(f"web {KEY}\n")
    (tmp_path / "admin").write_text(f"ops {ADMIN}\n")
    words = ("--api-keys", tmp_path / "keys", "--admin-keys", tmp_path / "admin")
    assert run("serve", model, "--port", "0", *words).code == 0
    with client_of(started[0][0]) as client:
        assert client.get("/v1/models").status == 401
        assert client.get("/v1/models", headers={"X-API-Key": KEY}).status == 200
        assert client.get("/metrics", headers={"X-API-Key": ADMIN}).status == 200
    assert run("serve", model, "--port", "0", "--api-keys", tmp_path / "none").code == 2


def test_options_reach_the_server(run: Run, model: Path, tmp_path: Path, started: list[tuple[Server, str]]) -> None:
    words = ("--max-k", "7", "--max-users", "3", "--max-body", "99", "--in-flight", "5", "--deadline", "0.5")
    log = ("--access-log", tmp_path / "log", "--watch", "3", "--narrow-from", "0.5")
    assert run("serve", model, "--port", "0", *words, *log).code == 0
    options = started[0][0]._options
    assert options.limits == Limits(k=7, users=3, body=99, in_flight=5, deadline=0.5)
    assert (options.narrowing, options.watch) == (Narrowing(0.5), 3)
    assert (tmp_path / "log").exists()
    started[0][0]._log.close()
    result = run("serve", model, "--max-k", "0")
    assert (result.code, result.err.startswith("nestrec: --max-k must be")) == (2, True)
    for wrong in (("--watch", "0"), ("--narrow-from", "2"), ("--deadline", "0"), ("--in-flight", "0")):
        assert run("serve", model, *wrong).code == 2, wrong


def test_defaults_are_those_of_the_library() -> None:
    assert ServerLimits().limits() == Limits()
    assert ServerLimits().narrowing() == Narrowing()

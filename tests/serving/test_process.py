"""A server process on a socket: reloads under load, signals, slow clients and oversized heads."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from nestrec import NestedEmbeddings
from tests.serving.process import ServerProcess, running

ADMIN = {"X-API-Key": "a-key-of-the-admin-1"}


@pytest.fixture(scope="module")
def place(shop: NestedEmbeddings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("process")
    shop.save(place / "shop")
    (place / "admin").write_text(f"ops {ADMIN['X-API-Key']}\n")
    return place


@pytest.fixture(scope="module")
def server(place: Path) -> Iterator[ServerProcess]:
    words = ("--admin-keys", place / "admin", "--access-log", place / "log", "--watch", "0.2")
    with running(place / "shop", *words) as server:
        yield server


def version_of(server: ServerProcess) -> str:
    version: str = server.get("/v1/models/shop")[1]["version"]
    return version


def save_other(shop: NestedEmbeddings, path: Path, seed: int) -> None:
    noise = np.random.default_rng(seed).standard_normal(shop.item_embeddings.shape).astype(np.float32)
    other = NestedEmbeddings(
        shop.user_embeddings, shop.item_embeddings + noise, shop.widths, shop.users, shop.items, shop.seen,
        shop.manifest, item_table=shop.item_table,
    )  # fmt: skip
    other.save(path, overwrite=True)


def wait_for(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def test_torch_is_not_loaded(server: ServerProcess) -> None:
    maps = Path(f"/proc/{server.process.pid}/maps").read_text()
    assert "libtorch" not in maps


def test_models_are_replaced_under_load_without_a_failed_request(
    server: ServerProcess, shop: NestedEmbeddings, place: Path
) -> None:
    user = shop.users.ids.tolist()[0]
    statuses: Counter[int] = Counter()
    versions: set[str] = set()
    stop = threading.Event()

    def load() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        while not stop.is_set():
            connection.request("GET", f"/v1/recommend/{user}")
            reply = connection.getresponse()
            reply.read()
            statuses[reply.status] += 1
            versions.add(reply.getheader("x-model-version") or "")
            time.sleep(0.005)
        connection.close()

    threads = [threading.Thread(target=load) for _ in range(3)]
    for thread in threads:
        thread.start()
    for seed in range(5):
        before = version_of(server)
        save_other(shop, place / "shop", seed)
        if seed % 2:
            assert server.ask("POST", "/v1/admin/reload", {}, ADMIN)[0] == 200
        wait_for(lambda before=before: version_of(server) != before)
    stop.set()
    for thread in threads:
        thread.join()
    assert set(statuses) == {200}
    assert len(versions) == 6


def test_a_damaged_model_keeps_the_former_one(server: ServerProcess, shop: NestedEmbeddings, place: Path) -> None:
    before = version_of(server)
    embeddings = next((place / "shop").glob("embeddings*.safetensors"))
    whole = embeddings.read_bytes()
    embeddings.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        status, outcome = server.ask("POST", "/v1/admin/reload", {"model": "shop"}, ADMIN)
        assert (status, outcome["versions"]) == (409, {})
        assert "embeddings" in outcome["failures"]["shop"]
        assert server.get(f"/v1/recommend/{shop.users.ids.tolist()[0]}")[0] == 200
        assert version_of(server) == before
        assert b'nestrec_reloads_total{model="shop",outcome="failure"} 1.0' in server.get("/metrics", ADMIN)[1]
    finally:
        embeddings.write_bytes(whole)


def test_a_model_whose_folder_is_gone_is_served_on(server: ServerProcess, place: Path) -> None:
    before = version_of(server)
    shutil.move(place / "shop", place / "away")
    try:
        time.sleep(0.5)  # it is looked at meanwhile
        assert server.ask("POST", "/v1/admin/reload", {}, ADMIN)[0] == 409
        assert version_of(server) == before
    finally:
        shutil.move(place / "away", place / "shop")


def test_sighup_loads_models_again_and_opens_the_log_again(
    server: ServerProcess, shop: NestedEmbeddings, place: Path
) -> None:
    (place / "log").rename(place / "log.1")
    server.process.send_signal(signal.SIGHUP)
    wait_for((place / "log").exists)
    server.get("/live")
    wait_for(lambda: '"/live"' in (place / "log").read_text())
    assert server.process.poll() is None


def talk(server: ServerProcess, data: bytes, seconds: float = 15.0) -> bytes:
    with socket.create_connection(("127.0.0.1", server.port), timeout=seconds) as connection:
        try:
            connection.sendall(data)
            return b"".join(iter(lambda: connection.recv(65_536), b""))
        except ConnectionError:
            return b""


def test_a_head_that_is_too_large_is_refused(server: ServerProcess) -> None:
    start = b"GET /live HTTP/1.1\r\nHost: x\r\n"
    for bomb in (b"X-Bomb: " + b"x" * 200_000, b"".join(b"X-%d: y\r\n" % n for n in range(20_000))):
        reply = talk(server, start + bomb)
        assert reply == b"" or reply.startswith(b"HTTP/1.1 431")
    assert server.get("/live")[0] == 200


def test_what_is_not_http_is_refused(server: ServerProcess) -> None:
    for data in (b"\x16\x03\x01\x02\x00\x01\xfc\x03\x03" * 9, b"GET / HTTP/9.9\r\n\r\n", b"\r\nfoo bar baz\r\n\r\n"):
        reply = talk(server, data)
        assert reply == b"" or reply.startswith(b"HTTP/1.1 400")
    assert server.get("/live")[0] == 200


@pytest.mark.slow
def test_clients_that_send_nothing_or_slowly_are_cut_off_and_stop_nobody(server: ServerProcess) -> None:
    idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(300)]
    for connection in idle[::2]:
        connection.sendall(b"GET /live HTTP/1.1\r\nHost:")
    assert server.get("/live")[0] == 200
    start = time.monotonic()
    for connection in idle:
        connection.settimeout(20)
        assert connection.recv(1) == b""
        connection.close()
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_ends_by_a_signal_after_the_requests_in_flight(place: Path, number: signal.Signals) -> None:
    with running(place / "shop") as server:
        held = socket.create_connection(("127.0.0.1", server.port))
        body = b'{"users": ["nobody"], "skip_unknown": true}'
        head = b"POST /v1/recommend HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        held.sendall(head % len(body) + body[:10])
        time.sleep(0.3)
        server.process.send_signal(number)
        time.sleep(0.5)
        assert server.process.poll() is None
        with pytest.raises(OSError, match="refused"):
            socket.create_connection(("127.0.0.1", server.port))
        held.sendall(body[10:])
        assert held.recv(65_536).startswith(b"HTTP/1.1 200")
        held.close()
        assert server.process.wait(30) == 0

"""The protocol of connections, on a transport that is a record of calls."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from nestrec.serving.connections import _LARGEST_HEAD, LimitedProtocol


class Transport(asyncio.Transport):
    """Notes what is written and how it ends; `unread` bytes are not taken by the client."""

    def __init__(self, unread: int = 0) -> None:
        super().__init__()
        self.written, self.ended, self.unread = b"", "", unread

    def write(self, data: Any) -> None:
        self.written += bytes(data)

    def close(self) -> None:
        self.ended = self.ended or "closed"

    def abort(self) -> None:
        self.ended = self.ended or "aborted"

    def is_closing(self) -> bool:
        return bool(self.ended)

    def pause_reading(self) -> None:
        """What is paused comes all the same."""

    def resume_reading(self) -> None:
        """Nothing was paused."""

    def get_write_buffer_size(self) -> int:
        return self.unread


async def answer(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


def connect(transport: Transport) -> LimitedProtocol:
    config = uvicorn.Config(answer, ws="none", lifespan="off", log_config=None)
    config.load()
    protocol = LimitedProtocol(config, ServerState(), {}, asyncio.get_running_loop())
    protocol.connection_made(transport)
    return protocol


@pytest.mark.parametrize(("unread", "ended"), [(0, "closed"), (100, "aborted")])
def test_an_idle_connection_is_closed_and_one_whose_client_does_not_read_is_cut_off(unread: int, ended: str) -> None:
    async def talk() -> str:
        transport = Transport(unread)
        connect(transport).timeout_keep_alive_handler()
        return transport.ended

    assert asyncio.run(talk()) == ended


def test_heads_are_counted_anew_for_each_request_and_bodies_are_not_counted() -> None:
    head = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nX: " + b"y" * (_LARGEST_HEAD // 2) + b"\r\n\r\n"

    async def talk() -> Transport:
        transport = Transport()
        protocol = connect(transport)
        for _ in range(4):
            protocol.data_received(head % (2 * _LARGEST_HEAD))
            protocol.data_received(b"b" * (2 * _LARGEST_HEAD))
            await asyncio.sleep(0.05)
        protocol.connection_lost(None)
        return transport

    transport = asyncio.run(talk())
    assert transport.written.count(b"200 OK") == 4
    assert b"431" not in transport.written


def test_a_large_head_is_refused_once() -> None:
    async def talk() -> Transport:
        transport = Transport()
        protocol = connect(transport)
        for _ in range(4):
            protocol.data_received(b"GET / HTTP/1.1\r\n" if not transport.written else b"")
            protocol.data_received(b"X: " + b"y" * _LARGEST_HEAD + b"\r\n")
        protocol.connection_lost(None)
        return transport

    transport = asyncio.run(talk())
    assert transport.written.count(b"431") == 1
    assert transport.ended == "closed"

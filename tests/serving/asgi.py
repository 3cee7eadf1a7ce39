"""Ask an ASGI application in this process, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from nestrec.serving.app import Server


@dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one question after another, or several at once, on one event loop."""

    def __init__(self, server: Server, runner: asyncio.Runner) -> None:
        self.server, self._runner = server, runner

    def get(self, path: str, headers: dict[str, str] | None = None, **query: Any) -> Reply:
        return self.ask("GET", path, urlencode(query, doseq=True), headers=headers)

    def post(self, path: str, message: Any, headers: dict[str, str] | None = None) -> Reply:
        given = {"content-type": "application/json", **(headers or {})}
        return self.ask("POST", path, body=json.dumps(message).encode(), headers=given)

    def ask(self, method: str, path: str, query: str = "", **options: Any) -> Reply:
        return self._runner.run(ask(self.server, method, path, query, **options))

    def ask_at_once(self, *questions: tuple[str, str, str]) -> list[Reply]:
        async def gather() -> list[Reply]:
            return await asyncio.gather(*(ask(self.server, *question) for question in questions))

        return self._runner.run(gather())

    def run(self, work: Any) -> Any:
        return self._runner.run(work)


@contextmanager
def client_of(server: Server) -> Iterator[Client]:
    with asyncio.Runner() as runner:
        yield Client(server, runner)
    server._log.close()


async def ask(
    server: Server,
    method: str,
    path: str,
    query: str = "",
    *,
    body: bytes = b"",
    headers: dict[str, str] | None = None,
    incoming: list[dict[str, Any]] | None = None,
) -> Reply:
    """Return the reply of the application; `incoming` are messages in place of a body, the last without an end."""
    waiting = [{"type": "http.request", "body": body}] if incoming is None else list(incoming)
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not waiting:
            await asyncio.sleep(3600)
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    listed = [(name.lower().encode(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    scope = {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(), "query_string": query.encode(),
        "headers": listed, "http_version": "1.1", "scheme": "http", "root_path": "", "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }  # fmt: skip
    await server(scope, receive, send)
    start: dict[str, Any] = sent[0] if sent else {"status": 0, "headers": []}
    content = b"".join(message.get("body", b"") for message in sent[1:])
    return Reply(start["status"], {n.decode(): v.decode("latin-1") for n, v in start["headers"]}, content)

"""The outer layer of the application: request ids, API keys, errors, metrics and the access log."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Router

from nestrec.logs import get_logger
from nestrec.serving.access_log import AccessLog
from nestrec.serving.api_keys import ApiKeys, read_key
from nestrec.serving.body import DISCONNECTED, DisconnectedError
from nestrec.serving.metrics import Metrics
from nestrec.serving.other_methods import describe_status
from nestrec.serving.problems import ProblemError, as_problem
from nestrec.serving.trace import KEY, Trace, start_trace

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

_API, _ADMIN, _METRICS = "/v1/", "/v1/admin/", "/metrics"
_JSON = "application/problem+json"


class Keys:
    """Which keys open which routes; without keys of a kind, its routes are open, or closed for administration."""

    def __init__(self, clients: ApiKeys | None = None, admins: ApiKeys | None = None) -> None:
        self._clients, self._admins = clients, admins

    @property
    def needs_client_key(self) -> bool:
        """Whether the routes of clients need a key."""
        return self._clients is not None

    def check(self, path: str, headers: list[tuple[bytes, bytes]]) -> str | None:
        """Return the name of the client; raise ProblemError where the route is not open to it."""
        if path.startswith(_ADMIN):
            if self._admins is None:
                raise ProblemError(HTTPStatus.FORBIDDEN, "administration needs a server with a file of admin keys")
            return self._find(self._admins, headers)
        if path.startswith(_METRICS) and self._admins is not None:
            return self._find(self._admins, headers)
        if path.startswith(_API) and self._clients is not None:
            return self._find(self._clients, headers)
        return None

    def _find(self, keys: ApiKeys, headers: list[tuple[bytes, bytes]]) -> str:
        key = read_key(headers)
        name = None if key is None else keys.find(key)
        if name is None:
            raise ProblemError(
                HTTPStatus.UNAUTHORIZED,
                "a key of this server is needed, as Authorization: Bearer KEY",
                headers={"WWW-Authenticate": "Bearer"},
            )
        return name


class Gate:
    """Wraps the routes of the server."""

    def __init__(self, routes: Router, keys: Keys, metrics: Metrics, access_log: AccessLog) -> None:
        self._routes, self._keys, self._metrics, self._access_log = routes, keys, metrics, access_log

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever becomes of it, and log it."""
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1000})
            return
        if scope["type"] != "http":
            await self._routes(scope, receive, send)
            return
        start = time.perf_counter()
        trace = scope[KEY] = start_trace(scope["headers"])
        try:
            await self._answer(scope, receive, _Sender(send, trace))
        except DisconnectedError:
            trace.status = DISCONNECTED
        finally:
            seconds = time.perf_counter() - start
            self._metrics.add_request(trace, scope["method"], seconds)
            self._access_log.add(trace, scope["method"], seconds)

    async def _answer(self, scope: Scope, receive: Receive, sender: _Sender) -> None:
        trace = sender.trace
        try:
            trace.client = self._keys.check(scope["path"], scope["headers"])
            await self._routes(scope, receive, sender.send)
        except DisconnectedError:
            raise
        except Exception as error:
            await self._refuse(_find_problem(error, scope, self._routes.routes), sender)

    async def _refuse(self, problem: ProblemError, sender: _Sender) -> None:
        trace = sender.trace
        if problem.rejected is not None:
            trace.reject(problem.rejected)
        if not sender.started:
            await send_answer(sender.send, problem.status, problem.encode(trace.request_id), _JSON, problem.headers)


def _find_problem(error: Exception, scope: Scope, routes: Sequence[BaseRoute]) -> ProblemError:
    """Return the problem of an error; one of the server itself is logged with its traceback."""
    if isinstance(error, HTTPException):
        detail = f"{describe_status(error, scope, routes)}; /openapi.json lists the routes"
        return ProblemError(HTTPStatus(error.status_code), detail, headers=error.headers)
    found = as_problem(error)
    if found is None:
        get_logger("serving").error("request %s failed", scope[KEY].request_id, exc_info=error)
        found = ProblemError(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed; its log has the request id")
    return found


class _Sender:
    """Sends an answer with the headers of the trace."""

    def __init__(self, send: Send, trace: Trace) -> None:
        self._send, self.trace, self.started = send, trace, False

    async def send(self, message: Any) -> None:
        """Send a message of ASGI."""
        if message["type"] == "http.response.start":
            self.started, self.trace.status = True, message["status"]
            own = {"X-Request-ID": self.trace.request_id, **self.trace.headers}
            added = [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in own.items()]
            message["headers"] = [*message.get("headers", ()), *added]
        await self._send(message)


async def send_answer(
    send: Send, status: HTTPStatus, body: bytes, content_type: str, headers: dict[str, str] | None = None
) -> None:
    """Send a whole answer."""
    listed = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    listed += [(name.lower().encode(), value.encode()) for name, value in (headers or {}).items()]
    listed += [(b"x-content-type-options", b"nosniff")]
    await send({"type": "http.response.start", "status": int(status), "headers": listed})
    await send({"type": "http.response.body", "body": body})

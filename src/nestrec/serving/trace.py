"""What is known of a request while it is answered: for the access log and the metrics."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from typing import Any

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,64}\Z")
_TRACEPARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")
KEY = "nestrec.trace"


@dataclass(slots=True)
class Trace:
    """A request; ids of users and items are not part of it."""

    request_id: str
    trace_id: str | None = None
    route: str = "unmatched"
    status: int = 0
    client: str | None = None
    model: str | None = None
    version: str | None = None
    arm: str | None = None
    width: int | None = None
    narrowed: bool = False
    k: int | None = None
    n_users: int | None = None
    rejected: str | None = None
    headers: dict[str, str] = field(default_factory=dict)  # to add to the answer

    def add_answer(self, *, model: str, version: str, width: int | None, narrowed: bool = False) -> None:
        """Note who answers, and at which width."""
        self.model, self.version, self.width, self.narrowed = model, version, width, narrowed
        self.headers["X-Model"], self.headers["X-Model-Version"] = model, version
        if width is not None:
            self.headers["X-Width"] = str(width)
        if narrowed:
            self.headers["X-Narrowed"] = "load"

    def reject(self, limit: str) -> None:
        """Note that the request is rejected by a limit, and answered by no model."""
        self.rejected, self.width, self.narrowed = limit, None, False
        self.headers.clear()


def start_trace(headers: list[tuple[bytes, bytes]]) -> Trace:
    """Return the trace of a request, with the request id that the client gave, if it is one, or a new one."""
    request_id = trace_id = None
    for name, value in headers:
        if name == b"x-request-id" and _REQUEST_ID.match(value):
            request_id = value.decode()
        elif name == b"traceparent" and (found := _TRACEPARENT.match(value)):
            trace_id = found[1].decode()
    return Trace(request_id or secrets.token_hex(8), trace_id)


def trace_of(scope: Any) -> Trace:
    """Return the trace of a request's ASGI scope."""
    trace: Trace = scope[KEY]
    return trace

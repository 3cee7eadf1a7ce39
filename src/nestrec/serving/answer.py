"""Answers as ASGI applications."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from nestrec.serving.gate import Receive, Scope, Send, send_answer
from nestrec.serving.messages import encode

_JSON = "application/json"
_NO_CACHE = "private, no-cache"  # a cache asks with the tag each time


class Answer:
    """A whole answer."""

    def __init__(
        self, status: HTTPStatus, body: bytes, headers: dict[str, str] | None = None, content_type: str = _JSON
    ) -> None:
        self.status, self.body, self.headers, self.content_type = status, body, headers or {}, content_type

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        await send_answer(send, self.status, self.body, self.content_type, self.headers)


def json_answer(message: Any, etag: str | None = None) -> Answer:
    """Return the answer of a message, with its tag."""
    headers = {"Cache-Control": "no-store"} if etag is None else {"ETag": etag, "Cache-Control": _NO_CACHE}
    return Answer(HTTPStatus.OK, encode(message), headers)

"""Read the body of a request: within its limit, within its time, and as JSON only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from nestrec.serving.limits import Limits
from nestrec.serving.problems import ProblemError

_CLOSE = {"Connection": "close"}
DISCONNECTED = 499  # as in nginx's log

Receive = Callable[[], Awaitable[Any]]


class DisconnectedError(Exception):
    """The client left before its request was read."""


async def read_body(headers: list[tuple[bytes, bytes]], receive: Receive, limits: Limits) -> bytes:
    """Return the body; raise ProblemError where it is too large, too slow or no JSON by its header."""
    _check_headers(headers, limits)
    try:
        async with asyncio.timeout(limits.receive):
            return await _collect(receive, limits.body)
    except TimeoutError:
        raise ProblemError(
            HTTPStatus.REQUEST_TIMEOUT, f"the body must arrive within {limits.receive:g} s", headers=_CLOSE
        ) from None


async def _collect(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise DisconnectedError
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
        if not message.get("more_body", False):
            return b"".join(parts)


def _check_headers(headers: list[tuple[bytes, bytes]], limits: Limits) -> None:
    content_type = b""
    for name, value in headers:
        if name == b"content-length" and value.isdigit() and int(value[:20]) > limits.body:
            raise _too_large(limits.body)
        if name == b"content-type":
            content_type = value
    if content_type.partition(b";")[0].strip().lower() != b"application/json":
        raise ProblemError(
            HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "the body must be JSON, with Content-Type: application/json"
        )


def _too_large(most: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body must have at most {most} bytes; send less", headers=_CLOSE
    )

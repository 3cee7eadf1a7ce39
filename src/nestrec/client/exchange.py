"""What both clients do with a call: encode it, decode its answer, and decide whether and when to send it again."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec

from nestrec.arguments import check_range
from nestrec.client.calls import Call
from nestrec.errors import RequestError
from nestrec.serving.messages import Problem

Answer = TypeVar("Answer")

_AGAIN = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.BAD_GATEWAY,
    HTTPStatus.SERVICE_UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT,
)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 10.0  # seconds
_LARGEST_SHOWN = 200


@dataclass(frozen=True)
class Retries:
    """How often a call is sent again, after pauses that double, with jitter."""

    most: int = 2

    def __post_init__(self) -> None:
        """Validate the number."""
        check_range("retries", self.most, 0, 100, 2)

    def pause(self, attempt: int, status: int | None, headers: Mapping[str, str], *, may_repeat: bool) -> float | None:
        """Return the seconds until the next attempt; None: there is none. `status` is None without an answer."""
        if not may_repeat or attempt >= self.most or (status is not None and status not in _AGAIN):
            return None
        pause: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**attempt) * random.uniform(0.5, 1.0)
        asked = headers.get("retry-after", "")
        return max(pause, min(_LONGEST_PAUSE, float(asked))) if asked.isdigit() else pause


def encode_call(call: Call[Any]) -> dict[str, Any]:
    """Return the arguments of a request of httpx."""
    arguments: dict[str, Any] = {"method": call.method, "url": call.path, "params": call.query or None}
    if call.body is not None:
        arguments |= {"content": msgspec.json.encode(call.body), "headers": {"Content-Type": "application/json"}}
    return arguments


def decode_answer(call: Call[Answer], status: int, content: bytes, request_id: str | None) -> Answer:
    """Return the answer; raise RequestError for a refusal, and for what is not an answer of this server."""
    if status != HTTPStatus.OK and not (status == HTTPStatus.CONFLICT and call.path.endswith("/reload")):
        raise RequestError(_describe_refusal(status, content), status=status, request_id=request_id)
    try:
        return msgspec.json.decode(content, type=call.answer)
    except msgspec.MsgspecError as error:
        raise RequestError(
            f"the answer is not one of nestrec's server ({error}); check the address and the versions of both",
            status=status, request_id=request_id,
        ) from error  # fmt: skip


def _describe_refusal(status: int, content: bytes) -> str:
    try:
        problem = msgspec.json.decode(content, type=Problem)
    except msgspec.MsgspecError:
        return f"the server answered {status}: {content[:_LARGEST_SHOWN].decode(errors='replace')}"
    return f"the server answered {status}: {problem.detail}"

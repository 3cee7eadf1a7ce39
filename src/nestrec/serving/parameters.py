"""Parse requests: query strings and JSON bodies become the same typed values, within the limits."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec

from nestrec.serving.limits import Limits
from nestrec.serving.messages import (
    Id,
    ListOptions,
    RecommendOptions,
    RecommendRequest,
    ScoreRequest,
    WidthOptions,
    given,
)
from nestrec.serving.problems import ProblemError, unprocessable

Message = TypeVar("Message", bound=msgspec.Struct)

_LISTS = ("allow", "deny")  # may be given several times in a query string


def parse_query(query: bytes, kind: type[Message], limits: Limits) -> Message:
    """Return the parameters of a query string; raise ProblemError for unknown ones and values of the wrong type."""
    if len(query) > limits.query:
        raise ProblemError(
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"the query string must have at most {limits.query} bytes, got {len(query)}; send a body with POST",
        )
    if not query:
        return kind()
    values: dict[str, Any] = {}
    try:
        pairs = parse_qsl(query.decode("ascii"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, "the query string must be UTF-8 in percent-encoding") from error
    for name, text in pairs:
        if name in _LISTS:
            values.setdefault(name, []).append(text)
        elif name in values:
            raise unprocessable(f"{name} must be given once, got several values", name)
        else:
            values[name] = text
    return _convert(values, kind)


def parse_body(body: bytes, kind: type[Message]) -> Message:
    """Return the message of a JSON body; raise ProblemError where it cannot be read or breaks the schema."""
    try:
        return msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        raise unprocessable(str(error)) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ProblemError(HTTPStatus.BAD_REQUEST, f"the body must be JSON ({error})") from error


def resolve_width(options: WidthOptions) -> int | None:
    """Return the width that a request asks for by either name, None where it leaves it out."""
    width, dimensions = given(options.width), given(options.dimensions)
    if width is not None and dimensions is not None and width != dimensions:
        raise unprocessable(f"width and dimensions are one option, got {width} and {dimensions}; give one", "width")
    return width if width is not None else dimensions


def check_list_options(options: ListOptions, limits: Limits) -> None:
    """Raise ProblemError for options beyond the limits."""
    check_limit("k", options.k, limits.k)
    for name in _LISTS:
        check_ids(name, getattr(options, name) or (), limits.items, limits)
    where = given(options.where)
    if where is not None:
        check_limit("where", len(where), limits.where_length, "characters")
    if isinstance(options, RecommendOptions) and options.explain:
        check_limit("k with explain", options.k, limits.explained)


def check_recommend_request(request: RecommendRequest, limits: Limits) -> None:
    """Raise ProblemError unless the request names users or a history, within the limits."""
    users, history, weights = given(request.users), given(request.history), given(request.weights)
    if (users is None) == (history is None):
        raise unprocessable("give either users or history", "users")
    if weights is not None and (history is None or len(weights) != len(history)):
        raise unprocessable("weights must have one number for each item of history", "weights")
    check_list_options(request, limits)
    check_ids("users", users or (), limits.users, limits)
    check_ids("history", history or (), limits.items, limits)
    check_limit("k times the number of users", request.k * len(users or (0,)), limits.answers)
    if request.explain:
        check_limit("k times the number of users with explain", request.k * len(users or (0,)), limits.explained)


def check_score_request(request: ScoreRequest, limits: Limits) -> None:
    """Raise ProblemError for lists of different lengths or beyond the limits."""
    check_ids("users", request.users, limits.users, limits)
    check_ids("items", request.items, limits.users, limits)


def check_ids(name: str, ids: Iterable[Id], most: int, limits: Limits) -> None:
    """Raise ProblemError for too many ids, or one that is too long."""
    listed = list(ids)
    check_limit(name, len(listed), most, "ids")
    for id_ in listed:
        check_id(name, id_, limits)


def check_id(name: str, id_: Id, limits: Limits) -> None:
    """Raise ProblemError for an id that is too long or no text that UTF-8 can encode."""
    try:
        size = len(str(id_).encode())
    except (UnicodeEncodeError, ValueError) as error:  # ValueError: an integer of thousands of digits
        raise unprocessable(f"{name} must be text of UTF-8 or a 64-bit number", name) from error
    if size > limits.id_length:
        raise unprocessable(f"an id in {name} must have at most {limits.id_length} bytes, got {size}", name)


def check_limit(name: str, value: int, most: int, unit: str = "") -> None:
    """Raise ProblemError for a value beyond its limit."""
    if value > most:
        raise unprocessable(f"{name} must be at most {most}{unit and f' {unit}'}, got {value}", name.partition(" ")[0])


def _convert(values: dict[str, Any], kind: type[Message]) -> Message:
    try:
        return msgspec.convert(values, kind, strict=False)
    except msgspec.ValidationError as error:
        raise unprocessable(str(error)) from error

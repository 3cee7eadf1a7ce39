"""The answer to a request whose method the route does not take."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match, Route


def describe_status(error: HTTPException, scope: MutableMapping[str, Any], routes: Sequence[BaseRoute]) -> str:
    """Return why no route answers a request; for a wrong method, which one the route takes, and routes below it."""
    status = HTTPStatus(error.status_code)
    route = next((one for one in routes if isinstance(one, Route) and one.matches(scope)[0] is Match.PARTIAL), None)
    if status != HTTPStatus.METHOD_NOT_ALLOWED or route is None:
        return status.description
    path, method = _show(route), scope["method"]
    found = f"{path} takes {' or '.join(sorted(route.methods or ()))}, got {method}"
    below = [f"{method} {one}" for one in _list_below(path, method, routes)]
    return f"{found}; there is {', '.join(below)}" if below else found


def _list_below(path: str, method: str, routes: Sequence[BaseRoute]) -> list[str]:
    """Return the routes of a method that have one parameter after a path."""
    return [
        _show(route)
        for route in routes
        if isinstance(route, Route) and route.path.startswith(f"{path}/{{") and method in (route.methods or ())
    ]


def _show(route: Route) -> str:
    return route.path.replace(":path}", "}")

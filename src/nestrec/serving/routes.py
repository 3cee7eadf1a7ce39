"""The table of routes, from which the router and the OpenAPI description are made."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.routing import Route

from nestrec.serving.answer import Answer
from nestrec.serving.endpoints import Endpoints
from nestrec.serving.messages import (
    Embedding,
    ItemList,
    ItemLists,
    ListOptions,
    ModelDescription,
    ModelDescriptions,
    Neighbours,
    NoOptions,
    RecommendOptions,
    RecommendRequest,
    Reloaded,
    ReloadRequest,
    ScoreRequest,
    Scores,
    WidthOptions,
)
from nestrec.serving.operations import Operations
from nestrec.serving.trace import trace_of

Handler = Callable[[Request], Awaitable[Answer]]


@dataclass(frozen=True)
class Endpoint:
    """A route of the API."""

    method: str
    path: str  # with parameters in braces; each may hold slashes if it is the last
    handler: Handler
    answer: Any  # type of the message, None where it is not JSON
    summary: str
    query: Any = NoOptions
    body: Any = None
    tagged: bool = False  # whether its answers have a tag, for If-None-Match


def list_endpoints(endpoints: Endpoints, operations: Operations) -> list[Endpoint]:
    """Return all routes; those that are used most come first."""
    lists = "Items for one user, best first."
    return [
        Endpoint(
            "GET", "/v1/recommend/{user}", endpoints.recommend_user, ItemList, lists, RecommendOptions, tagged=True
        ),
        Endpoint(
            "POST", "/v1/recommend", endpoints.recommend, ItemLists,
            "Items for several users, or for a new one by a history.", body=RecommendRequest,
        ),
        Endpoint(
            "GET", "/v1/similar/{item}", endpoints.similar, Neighbours, "Items most similar to an item.",
            ListOptions, tagged=True,
        ),
        Endpoint("POST", "/v1/score", endpoints.score, Scores, "Scores of pairs.", body=ScoreRequest),
        Endpoint(
            "GET", "/v1/embeddings/{side}/{id}", endpoints.embedding, Embedding, "The vector of a user or an item.",
            WidthOptions, tagged=True,
        ),
        Endpoint("GET", "/v1/models", endpoints.models, ModelDescriptions, "The models that are served."),
        Endpoint("GET", "/v1/models/{name}", endpoints.model, ModelDescription, "A model that is served."),
        Endpoint(
            "POST", "/v1/admin/reload", operations.reload, Reloaded, "Load models again, with an admin key.",
            body=ReloadRequest,
        ),
        Endpoint("GET", "/live", operations.live, dict[str, str], "Whether the process answers."),
        Endpoint("GET", "/ready", operations.ready, dict[str, str], "Whether requests can be answered."),
    ]  # fmt: skip


def build_routes(endpoints: list[Endpoint], operations: Operations) -> list[Route]:
    """Return the routes of the router."""
    routes = [Route(_pattern(one.path), _named(one.path, one.handler), methods=[one.method]) for one in endpoints]
    routes.append(Route("/metrics", _named("/metrics", operations.metrics), methods=["GET"]))
    routes.append(Route("/openapi.json", _named("/openapi.json", operations.openapi), methods=["GET"]))
    return routes


def _pattern(path: str) -> str:
    """Return the path as Starlette writes it: ids may hold slashes, the side is one of two words."""
    for name in ("user", "item", "id"):
        path = path.replace(f"{{{name}}}", f"{{{name}:path}}")
    return path


def _named(path: str, handler: Handler) -> Any:
    """Return the handler, which notes the route it is called by."""

    async def call(request: Request) -> Answer:
        trace_of(request.scope).route = path
        return await handler(request)

    return call

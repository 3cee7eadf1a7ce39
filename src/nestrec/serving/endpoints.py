"""The routes below /v1 that answer from a model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from importlib.metadata import version
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request

from nestrec.serving.admission import Admission
from nestrec.serving.answer import Answer, json_answer
from nestrec.serving.answering import (
    Widths,
    find_embedding,
    find_neighbours,
    recommend_history,
    recommend_user,
    recommend_users,
    score_pairs,
)
from nestrec.serving.body import read_body
from nestrec.serving.limits import Limits
from nestrec.serving.messages import (
    ListOptions,
    ModelDescriptions,
    NoOptions,
    RecommendOptions,
    RecommendRequest,
    ScoreRequest,
    WidthOptions,
    given,
)
from nestrec.serving.model_set import Choice, ModelSet
from nestrec.serving.narrowing import Narrowing
from nestrec.serving.parameters import (
    check_id,
    check_list_options,
    check_recommend_request,
    check_score_request,
    parse_body,
    parse_query,
    resolve_width,
)
from nestrec.serving.problems import ProblemError
from nestrec.serving.trace import Trace, trace_of
from nestrec.serving.turns import Turns

Result = TypeVar("Result")
Message = TypeVar("Message", bound=msgspec.Struct)

_QUICK = 2.0  # milliseconds; a list that takes longer is computed in a thread
_FEW_IDS = 100
_SIDES = ("users", "items")


class Endpoints:
    """Handlers of the routes."""

    def __init__(
        self, models: ModelSet, turns: Turns, limits: Limits, narrowing: Narrowing, admission: Admission
    ) -> None:
        self._models, self._turns, self._limits = models, turns, limits
        self._narrowing, self._admission = narrowing, admission
        self._release = version("nestrec")

    async def recommend_user(self, request: Request) -> Answer:
        """Recommend items to one user."""
        arrival, user, trace = _now(), request.path_params["user"], trace_of(request.scope)
        options = parse_query(request.scope["query_string"], RecommendOptions, self._limits)
        check_id("user", user, self._limits)
        check_list_options(options, self._limits)
        choice = self._models.choose(given(options.model), user)
        widths, narrowed = self._choose_widths([choice], options)
        tag: str | None
        tag = own = self._note(trace, choice, widths, narrowed=narrowed)
        trace.arm, trace.k, trace.n_users = choice.arm, options.k, 1
        if len(choice.models) > 1:  # interleaved by coins, so that no two answers need be alike
            tag = None
        elif _matches(request, own):
            return _not_modified(own)
        quick = self._is_quick(choice, widths, options)
        found = await self._compute(
            lambda: recommend_user(choice, widths, user, options, seed=trace.request_id, narrowed=narrowed),
            arrival,
            quick=quick,
        )
        return json_answer(found, tag)

    async def recommend(self, request: Request) -> Answer:
        """Recommend items to the users of a batch, or to a new user by a history."""
        body, trace = await self._read(request, RecommendRequest), trace_of(request.scope)
        arrival = _now()
        check_recommend_request(body, self._limits)
        users, name = given(body.users), given(body.model)
        choices = [self._models.choose(name, user) for user in (users if users is not None else [None])]
        widths, narrowed = self._choose_widths(choices, body)
        arms = set(choices)
        if len(arms) == 1:
            self._note(trace, choices[0], widths, narrowed=narrowed)
            trace.arm = choices[0].arm
        trace.k, trace.n_users, trace.narrowed = body.k, len(choices), narrowed

        def compute() -> Any:
            if users is None:
                return recommend_history(choices[0], widths, body, narrowed=narrowed)
            return recommend_users(choices, widths, body, seed=trace.request_id, narrowed=narrowed)

        return json_answer(await self._compute(compute, arrival, quick=False))

    async def similar(self, request: Request) -> Answer:
        """Find the items most similar to an item."""
        arrival, item = _now(), request.path_params["item"]
        options = parse_query(request.scope["query_string"], ListOptions, self._limits)
        check_id("item", item, self._limits)
        check_list_options(options, self._limits)
        choice, width, etag = self._find(request, options)
        trace_of(request.scope).k = options.k
        if _matches(request, etag):
            return _not_modified(etag)
        (served,) = choice.models
        found = await self._compute(lambda: find_neighbours(served, width, item, options), arrival, quick=False)
        return json_answer(found, etag)

    async def score(self, request: Request) -> Answer:
        """Score pairs of users and items."""
        body = await self._read(request, ScoreRequest)
        arrival = _now()
        check_score_request(body, self._limits)
        choice, width, _ = self._find(request, body)
        (served,) = choice.models
        few = max(len(body.users), len(body.items)) <= _FEW_IDS
        return json_answer(await self._compute(lambda: score_pairs(served, width, body), arrival, quick=few))

    async def embedding(self, request: Request) -> Answer:
        """Return the vector of a user or an item."""
        arrival, side, id_ = _now(), request.path_params["side"], request.path_params["id"]
        if side not in _SIDES:
            raise ProblemError(HTTPStatus.NOT_FOUND, f"embeddings must be of {' or '.join(_SIDES)}, got {side[:20]!r}")
        options = parse_query(request.scope["query_string"], WidthOptions, self._limits)
        check_id(side, id_, self._limits)
        choice, width, etag = self._find(request, options)
        if _matches(request, etag):
            return _not_modified(etag)
        (served,) = choice.models
        return json_answer(
            await self._compute(lambda: find_embedding(served, width, side, id_), arrival, quick=True), etag
        )

    async def models(self, request: Request) -> Answer:
        """Describe the models that are served."""
        parse_query(request.scope["query_string"], NoOptions, self._limits)
        served = self._models.served.values()
        shares = {} if self._models.split is None else self._models.split.shares
        return json_answer(ModelDescriptions([one.describe() for one in served], shares))

    async def model(self, request: Request) -> Answer:
        """Describe one model."""
        parse_query(request.scope["query_string"], NoOptions, self._limits)
        return json_answer(self._models.find(request.path_params["name"]).describe())

    async def _compute(self, compute: Callable[[], Result], arrival: float, *, quick: bool) -> Result:
        run = self._turns.quick if quick else self._turns.slow
        with self._admission.admit():
            return await run(compute, arrival)

    async def _read(self, request: Request, kind: type[Message]) -> Message:
        with self._admission.read():
            body = await read_body(request.scope["headers"], request.receive, self._limits)
        return parse_body(body, kind)

    def _find(self, request: Request, options: WidthOptions) -> tuple[Choice, int, str]:
        """Return the model and the width of a request that no split concerns, and the tag of its answer."""
        served = self._models.find(given(options.model))
        choice, asked = Choice((served,), None), resolve_width(options)
        width = served.widest if asked is None else served.check_width(asked)
        etag = self._note(trace_of(request.scope), choice, {served.name: width}, narrowed=False)
        return choice, width, etag

    def _choose_widths(self, choices: list[Choice], options: WidthOptions) -> tuple[Widths, bool]:
        """Return the width of each model: the one asked for, or one by the load; and whether any is narrower."""
        asked = resolve_width(options)
        served = {one.name: one for choice in choices for one in choice.models}
        if asked is not None:
            return {name: one.check_width(asked) for name, one in served.items()}, False
        fullness = self._admission.fullness
        widths = {name: self._narrowing.choose(one, fullness) for name, one in served.items()}
        return widths, any(widths[name] < one.widest for name, one in served.items())

    def _note(self, trace: Trace, choice: Choice, widths: Widths, *, narrowed: bool) -> str:
        """Note who answers, for the log and the headers; return the tag of the answer."""
        names = [served.name for served in choice.models]
        versions = "+".join(served.version for served in choice.models)
        width = max(widths[name] for name in names)
        trace.add_answer(model="+".join(names), version=versions, width=width, narrowed=narrowed)
        return f'"{versions}-{self._release}-{width}"'

    def _is_quick(self, choice: Choice, widths: Widths, options: RecommendOptions) -> bool:
        """Tell whether a list takes so little time that it is computed on the event loop."""
        if options.where or options.exact or options.explain or given(options.diversity) is not None:
            return False
        n_ids = len(given(options.allow) or ()) + len(given(options.deny) or ())
        cost = sum(served.milliseconds[widths[served.name]] for served in choice.models)
        return n_ids <= _FEW_IDS and options.k <= _FEW_IDS and cost <= _QUICK


def _matches(request: Request, etag: str) -> bool:
    """Tell whether the client has the answer: no list is computed for it."""
    return etag in (tag.strip().removeprefix("W/") for tag in request.headers.get("if-none-match", "").split(","))


def _not_modified(etag: str) -> Answer:
    return Answer(HTTPStatus.NOT_MODIFIED, b"", {"ETag": etag})


def _now() -> float:
    return asyncio.get_running_loop().time()

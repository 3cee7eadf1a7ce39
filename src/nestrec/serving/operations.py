"""Routes of operations: liveness, readiness, metrics, the OpenAPI description and administration."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus

from starlette.requests import Request

from nestrec.serving.administration import Administration
from nestrec.serving.answer import Answer, json_answer
from nestrec.serving.body import read_body
from nestrec.serving.limits import Limits
from nestrec.serving.messages import ReloadRequest, encode, given
from nestrec.serving.metrics import TEXT, Metrics
from nestrec.serving.model_set import ModelSet
from nestrec.serving.parameters import parse_body
from nestrec.serving.problems import overloaded


class Operations:
    """Handlers of the routes."""

    def __init__(
        self,
        models: ModelSet,
        administration: Administration,
        metrics: Metrics,
        limits: Limits,
        description: Callable[[], bytes],
    ) -> None:
        self._models, self._administration, self._metrics = models, administration, metrics
        self._limits, self._description = limits, description
        self.stopping = False

    async def live(self, request: Request) -> Answer:
        """Say that the process answers."""
        return json_answer({"status": "live"})

    async def ready(self, request: Request) -> Answer:
        """Say that models are loaded, and that the server is not about to stop."""
        if self.stopping:
            raise overloaded("the server stops")
        return json_answer({"status": "ready"})

    async def metrics(self, request: Request) -> Answer:
        """Return the metrics in the text format of Prometheus."""
        return Answer(HTTPStatus.OK, self._metrics.format(), {"Cache-Control": "no-store"}, TEXT)

    async def openapi(self, request: Request) -> Answer:
        """Return the OpenAPI description."""
        return Answer(HTTPStatus.OK, self._description())

    async def reload(self, request: Request) -> Answer:
        """Load a model again, or all of them; 409 where one could not be loaded and keeps its former version."""
        body = parse_body(await read_body(request.scope["headers"], request.receive, self._limits), ReloadRequest)
        name = given(body.model)
        names = list(self._models.served) if name is None else [self._models.find(name).name]
        outcome = await self._administration.reload(names)
        status = HTTPStatus.CONFLICT if outcome.failures else HTTPStatus.OK
        return Answer(status, encode(outcome), {"Cache-Control": "no-store"})

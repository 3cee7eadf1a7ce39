"""The ASGI application of a set of models."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from starlette.routing import BaseRoute, Router

from nestrec.parallel.threads import available_threads
from nestrec.serving.access_log import AccessLog
from nestrec.serving.administration import Administration
from nestrec.serving.admission import Admission
from nestrec.serving.endpoints import Endpoints
from nestrec.serving.gate import Application, Gate, Keys, Receive, Scope, Send
from nestrec.serving.limits import Limits
from nestrec.serving.messages import encode
from nestrec.serving.metrics import Metrics
from nestrec.serving.model_set import ModelSet
from nestrec.serving.narrowing import Narrowing
from nestrec.serving.openapi import describe_api
from nestrec.serving.operations import Operations
from nestrec.serving.routes import build_routes, list_endpoints
from nestrec.serving.turns import Turns


@dataclass(frozen=True)
class ServerOptions:
    """How a server answers; see the options of `nestrec serve`."""

    limits: Limits = field(default_factory=Limits)
    narrowing: Narrowing = field(default_factory=Narrowing)
    keys: Keys = field(default_factory=Keys)
    watch: float | None = None
    """Seconds between looks at the folders of the models; None: they are not watched."""


class Server:
    """An ASGI application with what its operator needs: reloading and stopping."""

    def __init__(
        self,
        models: ModelSet,
        options: ServerOptions | None = None,
        *,
        access_log: AccessLog | None = None,
        pages: Sequence[BaseRoute] = (),
    ) -> None:
        """Answer from the models; `pages` are further routes, which /v1 and the routes of operations precede."""
        options = options or ServerOptions()
        self.models, self._options, self._log = models, options, access_log or AccessLog(None)
        self._turns = Turns(available_threads(), options.limits.deadline)
        admission = Admission(options.limits.in_flight, lambda: self._turns.abandoned)
        metrics = Metrics(lambda: admission.in_flight, lambda: self._log.dropped)
        self.administration = Administration(models, metrics)
        endpoints = Endpoints(models, self._turns, options.limits, options.narrowing, admission)
        self._operations = Operations(models, self.administration, metrics, options.limits, cache(self._describe))
        self._table = list_endpoints(endpoints, self._operations)
        routes = [*build_routes(self._table, self._operations), *pages]
        router = Router(routes, redirect_slashes=False, lifespan=self._live)
        self._gate: Application = Gate(router, options.keys, metrics, self._log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request of ASGI."""
        scope["app"] = self  # Starlette raises its errors where there is an application to handle them
        await self._gate(scope, receive, send)

    @property
    def needs_key(self) -> bool:
        """Whether clients need a key."""
        return self._options.keys.needs_client_key

    async def reload_all(self) -> None:
        """Load all models again; those that fail keep their former version."""
        await self.administration.reload(list(self.models.served))

    def begin_stop(self) -> None:
        """Say at /ready that the server stops."""
        self._operations.stopping = True

    def reopen_log(self) -> None:
        """Open the file of the access log again."""
        self._log.reopen()

    def _describe(self) -> bytes:
        return encode(describe_api(self._table, self._options.limits))

    @asynccontextmanager
    async def _live(self, _: Any) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._log.run())]
        if self._options.watch is not None:
            tasks.append(asyncio.create_task(self.administration.watch(self._options.watch)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
            self._log.close()
            await asyncio.to_thread(self._turns.close)
            await asyncio.to_thread(self.administration.close)

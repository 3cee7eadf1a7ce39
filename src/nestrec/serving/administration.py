"""Load models again while requests are answered: by an admin's request, a signal, or a folder that changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from nestrec.errors import NestrecError
from nestrec.logs import get_logger
from nestrec.serving.messages import Reloaded
from nestrec.serving.metrics import Metrics
from nestrec.serving.model_set import ModelSet

Result = TypeVar("Result")


class Administration:
    """Loads models again, one at a time, in a thread."""

    def __init__(self, models: ModelSet, metrics: Metrics) -> None:
        self._models, self._metrics = models, metrics
        self._turn = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="nestrec-reload")  # one, whose memory is used again
        for served in models.served.values():
            metrics.set_model(served)

    async def reload(self, names: list[str]) -> Reloaded:
        """Load these models again; those that fail keep their former version."""
        versions, failures = {}, {}
        async with self._turn:
            for name in names:
                try:
                    served = await self._in_thread(partial(self._models.reload, name))
                except (NestrecError, OSError, MemoryError) as error:
                    failures[name] = str(error) or type(error).__name__
                    get_logger("serving").error("model %s was not loaded again: %s", name, failures[name])
                    self._metrics.add_reload(name, "failure")
                else:
                    versions[name] = served.version
                    get_logger("serving").info("model %s is now of version %s", name, served.version)
                    self._metrics.set_model(served)
                    self._metrics.add_reload(name, "success")
        return Reloaded(versions, failures)

    async def watch(self, seconds: float) -> None:
        """Load models again whose folders were replaced, looking every so many seconds, until cancelled."""
        while True:
            await asyncio.sleep(seconds)
            changed = await self._in_thread(self._models.changed)
            if changed:
                await self.reload(changed)

    def close(self) -> None:
        """Wait for the thread to end."""
        self._thread.shutdown(wait=True, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

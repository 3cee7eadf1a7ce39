"""Turns of computing: quick answers one after another on the event loop, slow ones in threads.

Handing an answer of half a millisecond to a thread costs more than the answer and lets both threads wait for the
interpreter's lock, so quick answers are computed on the loop. After each, the loop reads what has arrived, so that
requests that wait are known: they are counted for admission and for narrowing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from nestrec.serving.problems import ProblemError, overloaded

Answer = TypeVar("Answer")


class Turns:
    """Computes answers until their deadlines."""

    def __init__(self, threads: int, deadline: float) -> None:
        self._deadline = deadline
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="nestrec-serve")
        self._turn = asyncio.Lock()
        self.abandoned = 0
        """Answers that are still computed though their deadline is over."""

    async def quick(self, compute: Callable[[], Answer], arrival: float) -> Answer:
        """Return an answer computed on the loop, in the order of arrival; `arrival` is in the loop's time."""
        loop = asyncio.get_running_loop()
        await asyncio.sleep(0)  # the other requests of this round of the loop are counted before this one is computed
        async with self._turn:
            if loop.time() > arrival + self._deadline:
                raise self._late()
            answer = compute()
            await asyncio.sleep(0)
        return answer

    async def slow(self, compute: Callable[[], Answer], arrival: float) -> Answer:
        """Return an answer computed in a thread."""
        loop = asyncio.get_running_loop()
        left = arrival + self._deadline - loop.time()
        if left <= 0:
            raise self._late()
        job = self._pool.submit(self._unless_late, compute, arrival, loop)
        future = asyncio.wrap_future(job)
        try:
            return await asyncio.wait_for(asyncio.shield(future), left)
        except (TimeoutError, asyncio.CancelledError) as error:
            if not job.cancel():
                self.abandoned += 1
                future.add_done_callback(self._forget)
            if isinstance(error, asyncio.CancelledError):
                raise
            raise self._late() from None

    def close(self) -> None:
        """Wait for the threads to end."""
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _unless_late(self, compute: Callable[[], Answer], arrival: float, loop: asyncio.AbstractEventLoop) -> Answer:
        if loop.time() > arrival + self._deadline:  # it waited for a thread until then
            raise self._late()
        return compute()

    def _forget(self, future: asyncio.Future[Answer]) -> None:
        self.abandoned -= 1
        if not future.cancelled():
            future.exception()  # read, or asyncio complains

    def _late(self) -> ProblemError:
        return overloaded(
            f"the request was not answered within its deadline of {self._deadline:g} s; send it again", "deadline"
        )

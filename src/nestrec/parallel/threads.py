"""The number of threads of a call, and mapping work over threads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TypeVar

from nestrec.arguments import check_integer
from nestrec.errors import OptionError

Piece = TypeVar("Piece")
Result = TypeVar("Result")


def available_threads() -> int:
    """Return the number of processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_threads(threads: int | None) -> int:
    """Return the number of threads, all available ones for None; raise OptionError below 1."""
    if threads is None:
        return available_threads()
    threads = check_integer("threads", threads, 4)
    if threads < 1:
        raise OptionError(
            f"threads must be at least 1, got {threads}; leave it out to use all processors", option="threads"
        )
    return threads


def map_in_threads(
    work: Callable[[Piece], Result], pieces: Iterable[Piece], threads: int, stopped: Event | None = None
) -> list[Result]:
    """Return the results of `work` for the pieces, in order, computed by so many threads.

    After Ctrl-C or an error in a piece, no other piece starts and `stopped` is set, which long pieces should check: the
    exception is raised as soon as the running pieces end.
    """
    waiting = list(pieces)
    if threads < 2 or len(waiting) < 2:
        return [work(piece) for piece in waiting]
    pool = ThreadPoolExecutor(min(threads, len(waiting)))
    try:
        return list(pool.map(work, waiting))
    except BaseException:
        if stopped is not None:
            stopped.set()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)

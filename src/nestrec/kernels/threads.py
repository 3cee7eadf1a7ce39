"""How many threads a call may use when its caller does not say."""

from __future__ import annotations

import os

from nestrec.errors import OptionError


def available_threads() -> int:
    """Return the number of processors this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def checked_threads(threads: int | None) -> int:
    """Return the number of threads asked for, all available ones for None; raise OptionError below 1."""
    if threads is None:
        return available_threads()
    if threads < 1:
        raise OptionError(
            f"{threads} threads cannot do any work; give 1 or more, or leave it out to use all processors"
        )
    return threads

"""Decorators that compile kernels, so that all of them have the same settings.

Sums may be reordered and multiply-adds fused, as vectorized dot products need; NaN and infinity keep their meaning, so
that divergence can be detected. Threads are Python threads that call a kernel on their share of the work, while it
releases the interpreter lock; numba's own thread pool has restrictions that differ between machines.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from nestrec.kernels.kernel_cache import KernelCache, warn_once

Function = TypeVar("Function", bound=Callable[..., Any])

_FAST_SUMS = {"reassoc", "contract", "nsz", "arcp"}
_SETTINGS: Any = numba.config  # its stub does not name them


def compiled(function: Function) -> Function:
    """Compile on first call, cache on disk if possible, release the interpreter lock while running."""
    return _compiled(function, _FAST_SUMS)


def compiled_in_order(function: Function) -> Function:
    """Compile as `compiled` does, without reordering sums: for results whose bits must be the same elsewhere."""
    return _compiled(function, set())


def _compiled(function: Function, fast_math: set[str]) -> Function:
    dispatcher: Any = numba.njit(nogil=True, fastmath=fast_math, error_model="numpy")(function)
    try:
        # numba has no public way to give a kernel another cache than its own.
        dispatcher._cache = KernelCache(dispatcher.py_func, (_all_kernels(), _SETTINGS.BOUNDSCHECK))  # noqa: SLF001
    except RuntimeError:  # no folder can be written to
        warn_once(
            "compiled kernels cannot be cached anywhere, so every run compiles them again; set NUMBA_CACHE_DIR to a "
            "folder for them"
        )
    return cast("Function", dispatcher)


@cache
def _all_kernels() -> tuple[tuple[str, float, int], ...]:
    """Return name, time and size of every kernel file; the cache is valid while none of them changes.

    numba checks the file of the function alone, so a kernel would keep the old code of a kernel that it calls from
    another file: wrong results or an endless loop after an upgrade. Nor does numba check NUMBA_BOUNDSCHECK.
    """
    described = ((str(path), path.stat()) for path in sorted(Path(__file__).parent.rglob("*.py")))
    return tuple((name, status.st_mtime, status.st_size) for name, status in described)

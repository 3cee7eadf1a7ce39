"""How hot loops are compiled: one decorator, so that every kernel has the same rules.

Sums may be reordered and multiply-adds fused (that is what lets a dot product use the vector units);
NaN and infinity keep their meaning, so a diverging run can still be noticed. Threads are ordinary Python threads that
call a kernel on their share of the work (the kernel releases the interpreter lock): no thread pool of numba's own,
whose back ends differ from machine to machine in what they allow.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numba

from nestrec.kernels.kernel_cache import KernelCache, tell_once

Function = TypeVar("Function", bound=Callable[..., Any])

_FAST_SUMS = {"reassoc", "contract", "nsz", "arcp"}
_SETTINGS: Any = numba.config  # its stub does not name them


def compiled(function: Function) -> Function:
    """Compile on first call, keep on disk where that can be, release the interpreter lock while running."""
    return _compiled(function, _FAST_SUMS)


def compiled_in_order(function: Function) -> Function:
    """Compile as `compiled` does, but let no sum be reordered: for results that must have the same bits elsewhere."""
    return _compiled(function, set())


def _compiled(function: Function, fast_math: set[str]) -> Function:
    dispatcher: Any = numba.njit(nogil=True, fastmath=fast_math, error_model="numpy")(function)
    try:
        # numba has no public way to give a kernel another cache than its own.
        dispatcher._cache = KernelCache(dispatcher.py_func, (_all_kernels(), _SETTINGS.BOUNDSCHECK))  # noqa: SLF001
    except RuntimeError:  # no folder can be written to
        tell_once(
            "compiled kernels can be kept nowhere, so every run compiles them again; name a folder for them in "
            "NUMBA_CACHE_DIR"
        )
    return cast("Function", dispatcher)


@cache
def _all_kernels() -> tuple[tuple[str, float, int], ...]:
    """Return name, time and size of every kernel file: what is kept on disk holds while none of them changes.

    numba looks at the file of the function alone, so a kernel would go on running with the old code of another file's
    kernel that it calls: after an upgrade, wrong results or an endless loop. Nor does it look at NUMBA_BOUNDSCHECK.
    """
    described = ((str(path), path.stat()) for path in sorted(Path(__file__).parent.rglob("*.py")))
    return tuple((name, status.st_mtime, status.st_size) for name, status in described)

"""How hot loops are compiled: one decorator, so that every kernel has the same rules.

Sums may be reordered and multiply-adds fused (that is what lets a dot product use the vector units);
NaN and infinity keep their meaning, so a diverging run can still be noticed. Threads are ordinary Python threads that
call a kernel on their share of the work (the kernel releases the interpreter lock): no thread pool of numba's own,
whose back ends differ from machine to machine in what they allow.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_FAST_SUMS = {"reassoc", "contract", "nsz", "arcp"}


def compiled(function: Function) -> Function:
    """Compile on first call, keep on disk, release the interpreter lock while running."""
    options: dict[str, Any] = {"cache": True, "nogil": True, "fastmath": _FAST_SUMS, "error_model": "numpy"}
    return cast("Function", numba.njit(**options)(function))

"""Fill every buffer that is not initialised, so that reading before writing cannot go unnoticed.

Fresh memory is mostly zeros, which hides a kernel that counts on them. With NESTREC_TEST_POISON=1 `np.empty` and
`np.empty_like` return floats that are NaN and integers that are far out of any range, in Python and in compiled code,
and tests must give the same results. Compiled code needs a kernel cache of its own (NUMBA_CACHE_DIR).
"""

from __future__ import annotations

from typing import Any, cast

import numpy as np

VARIABLE = "NESTREC_TEST_POISON"


_BYTES = {"f": 0xFF, "i": 0x7F, "u": 0x7F}  # by the kind of the dtype: NaN; large numbers


def poison() -> None:
    """Fill all buffers that are allocated from now on; call it before any kernel is compiled."""
    empty, empty_like, module = np.empty, np.empty_like, cast("Any", np)

    def poisoned_empty(*args: Any, **kwargs: Any) -> Any:
        return _filled(empty(*args, **kwargs))

    def poisoned_empty_like(*args: Any, **kwargs: Any) -> Any:
        return _filled(empty_like(*args, **kwargs))

    _poison_compiled()
    _let_kernels_call(poisoned_empty, poisoned_empty_like, empty, empty_like)
    module.empty, module.empty_like = poisoned_empty, poisoned_empty_like


def _filled(array: Any) -> Any:
    """Fill an array of numbers; objects and strings are pointers, which nothing may invent."""
    flat = array if array.flags.c_contiguous else array.T
    if array.size and array.dtype.kind in _BYTES and flat.flags.c_contiguous:
        flat.reshape(-1).view(np.uint8)[:] = _BYTES[array.dtype.kind]
    return array


def _let_kernels_call(poisoned: Any, poisoned_like: Any, empty: Any, empty_like: Any) -> None:
    """Tell numba what the functions that replace numpy's are in compiled code: numpy's, which are poisoned there."""
    from numba.extending import overload

    @overload(poisoned, strict=False)
    def in_kernels(shape, dtype=float):  # type: ignore[no-untyped-def]
        return lambda shape, dtype=float: empty(shape, dtype)

    @overload(poisoned_like, strict=False)
    def like_in_kernels(arr, dtype=None):  # type: ignore[no-untyped-def]
        return lambda arr, dtype=None: empty_like(arr, dtype)


def _poison_compiled() -> None:
    """Fill all arrays that compiled code allocates; `np.zeros` and `np.full` write theirs afterwards."""
    from numba.core import cgutils, types
    from numba.np import arrayobj

    allocate: Any = arrayobj._empty_nd_impl
    fill: Any = cgutils.memset

    def poisoned(context: Any, builder: Any, array_type: Any, shapes: Any) -> Any:
        array = allocate(context, builder, array_type, shapes)
        kind = "f" if isinstance(array_type.dtype, types.Float) else "i"
        fill(builder, array.data, builder.mul(array.nitems, array.itemsize), _BYTES[kind])
        return array

    arrayobj._empty_nd_impl = poisoned

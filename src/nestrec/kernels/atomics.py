"""Atomic operations on int64 arrays, by which threads that run a kernel at the same time share its work.

What a thread wrote before `add_atomically` or `take` is visible to every thread that reads the new value by
`read_atomically`, `take` or `wait_for` (sequentially consistent writes, acquiring reads).
"""

from __future__ import annotations

import sys
from typing import Any

from llvmlite import ir
from numba import types

from nestrec.arrays import Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.lanes import Codegen, Signature, checked_address, insert_function, intrinsic

_INT32, _INT64 = ir.IntType(32), ir.IntType(64)
_READS = 2000  # before the processor is yielded: about a microsecond
_YIELD = "SwitchToThread" if sys.platform == "win32" else "sched_yield"  # of the C library; both return an int


def _address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return checked_address(context, builder, signature, arguments, _INT64, 1)


@intrinsic
def add_atomically(_context: Any, array: Any, at: Any, value: Any) -> tuple[Signature, Codegen]:
    """Add value to array[at]; return what it was before."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.atomic_rmw("add", _address(context, builder, signature, arguments), arguments[2], "seq_cst")

    return types.int64(array, types.intp, types.int64), generate


@intrinsic
def read_atomically(_context: Any, array: Any, at: Any) -> tuple[Signature, Codegen]:
    """Return array[at]."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load_atomic(_address(context, builder, signature, arguments), "acquire", 8)

    return types.int64(array, types.intp), generate


@intrinsic
def take(_context: Any, array: Any, at: Any, expected: Any, replacement: Any) -> tuple[Signature, Codegen]:
    """Replace array[at] if it is as expected; return whether it was. Of several threads that try, one succeeds."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address = _address(context, builder, signature, arguments)
        result = builder.cmpxchg(address, arguments[2], arguments[3], "seq_cst", "seq_cst")
        return builder.extract_value(result, 1)

    return types.boolean(array, types.intp, types.int64, types.int64), generate


@intrinsic
def yield_processor(_context: Any) -> tuple[Signature, Codegen]:
    """Let another thread that waits for this processor run."""

    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.call(insert_function(builder.module, ir.FunctionType(_INT32, []), _YIELD), [])
        return context.get_dummy_value()

    return types.void(), generate


@compiled
def wait_for(array: Int64Array, at: int, least: int) -> None:
    """Wait until array[at] is at least so much; where processors are few, the threads waited for get this one."""
    n_reads = 0
    while read_atomically(array, at) < least:
        n_reads += 1
        if n_reads > _READS:
            yield_processor()

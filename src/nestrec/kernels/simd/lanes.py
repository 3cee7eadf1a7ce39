"""Eight float32 numbers handled as one value inside compiled kernels.

numba relies on LLVM to vectorize scalar loops, which rarely succeeds in loops as short as a narrow width. Here vectors
are explicit: LLVM lowers them to the registers of the processor (two of four, one of eight, half of one of sixteen).
`load` and `store` take a flat array and an offset; bounds are checked only with NUMBA_BOUNDSCHECK=1, as numba's own,
under which the kernel tests run.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import extending, types
from numba.core import cgutils, config
from numba.extending import models, register_model

LANES = 8

_FAST = ("reassoc", "contract", "nsz", "arcp", "afn")
_FLOAT = ir.FloatType()
_INT32 = ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, LANES)

intrinsic: Callable[..., Any] = extending.intrinsic  # its stub asks callers for the typing context too

insert_function: Callable[..., Any] = cgutils.get_or_insert_function

check_bounds: Callable[..., Any] = cgutils.do_boundscheck

settings: Any = config  # of numba: its stub does not name them

Signature = Any
Codegen = Callable[[Any, Any, Any, Any], Any]


class LanesType(types.Type):
    """numba's type of a vector of LANES float32 numbers."""

    def __init__(self) -> None:
        super().__init__(name=f"Lanes{LANES}")


lanes: Any = LanesType()


@register_model(LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _VECTOR)  # type: ignore[no-untyped-call]


def array_address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return the address of the element at an offset (second argument) of an intrinsic's array (first argument)."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


def checked_address(context: Any, builder: Any, signature: Any, arguments: Any, n: int) -> Any:
    """Return that place, from which n elements are used; with NUMBA_BOUNDSCHECK=1 an IndexError where it has fewer."""
    if settings.BOUNDSCHECK:
        first = arguments[1]
        size = context.make_array(signature.args[0])(context, builder, arguments[0]).nitems
        for place in (first, builder.add(first, first.type(n - 1))):
            check_bounds(context, builder, place, size)
    return array_address(context, builder, signature, arguments)


def _vector_address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return builder.bitcast(checked_address(context, builder, signature, arguments, LANES), _VECTOR.as_pointer())


def _call(builder: Any, name: str, returns: Any, arguments: list[Any]) -> Any:
    function_type = ir.FunctionType(returns, [argument.type for argument in arguments])
    function = insert_function(builder.module, function_type, name)
    return builder.call(function, arguments, fastmath=() if isinstance(returns, ir.VoidType) else _FAST)


def _everywhere(of: Any, number: float) -> Any:
    return ir.Constant(ir.VectorType(of, LANES), [of(number)] * LANES)


@intrinsic
def load(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
    """Return array[offset : offset + LANES]; no alignment is required."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.load(_vector_address(context, builder, signature, arguments), align=4)

    return lanes(array, types.intp), generate


@intrinsic
def store(_context: Any, array: Any, offset: Any, value: Any) -> tuple[Signature, Codegen]:
    """Set array[offset : offset + LANES] to value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.store(arguments[2], _vector_address(context, builder, signature, arguments), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), generate


@intrinsic
def splat(_context: Any, number: Any) -> tuple[Signature, Codegen]:
    """Return the same float32 number in every lane."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        nothing = ir.Constant(_VECTOR, ir.Undefined)
        first = builder.insert_element(nothing, arguments[0], _INT32(0))
        return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES))

    return lanes(types.float32), generate


def _lane_by_lane(operation: str, doc: str) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return getattr(builder, operation)(*arguments, flags=_FAST)

    def typing(_context: Any, left: Any, right: Any) -> tuple[Signature, Codegen]:
        return lanes(lanes, lanes), generate

    typing.__doc__ = doc
    return intrinsic(typing)


add = _lane_by_lane("fadd", "Return left + right.")
subtract = _lane_by_lane("fsub", "Return left - right.")
multiply = _lane_by_lane("fmul", "Return left * right.")
divide = _lane_by_lane("fdiv", "Return left / right.")


@intrinsic
def multiply_add(_context: Any, left: Any, right: Any, addend: Any) -> tuple[Signature, Codegen]:
    """Return left * right + addend, fused where the processor can."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call(builder, f"llvm.fmuladd.v{LANES}f32", _VECTOR, list(arguments))

    return lanes(lanes, lanes, lanes), generate


@intrinsic
def square_root(_context: Any, value: Any) -> tuple[Signature, Codegen]:
    """Return the square root; a division by it may become a reciprocal estimate with one Newton step."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call(builder, f"llvm.sqrt.v{LANES}f32", _VECTOR, list(arguments))

    return lanes(lanes), generate


@intrinsic
def exponential(_context: Any, value: Any) -> tuple[Signature, Codegen]:
    """Return e^value to some 1e-6 of it; values outside [-60, 88] count as the nearer end.

    e^-60 is 9e-27: nothing beside 1, and its products stay above the numbers that processors are slow with.

    value = n ln 2 + r with whole n, so that e^r is a short series and 2^n a float's exponent bits.
    """

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        low, high = _everywhere(_FLOAT, -60.0), _everywhere(_FLOAT, 88.0)
        x = _call(builder, f"llvm.maxnum.v{LANES}f32", _VECTOR, [arguments[0], low])
        x = _call(builder, f"llvm.minnum.v{LANES}f32", _VECTOR, [x, high])
        scaled = builder.fmul(x, _everywhere(_FLOAT, 1 / math.log(2)), flags=_FAST)
        whole = _call(builder, f"llvm.rint.v{LANES}f32", _VECTOR, [scaled])
        fused = f"llvm.fmuladd.v{LANES}f32"
        rest = _call(builder, fused, _VECTOR, [whole, _everywhere(_FLOAT, -math.log(2)), x])
        series = _everywhere(_FLOAT, 1 / math.factorial(6))
        for power in range(5, -1, -1):
            series = _call(builder, fused, _VECTOR, [series, rest, _everywhere(_FLOAT, 1 / math.factorial(power))])
        integers = ir.VectorType(_INT32, LANES)
        biased = builder.add(builder.fptosi(whole, integers), _everywhere(_INT32, 127))
        power_of_two = builder.bitcast(builder.shl(biased, _everywhere(_INT32, 23)), _VECTOR)
        return builder.fmul(series, power_of_two, flags=_FAST)

    return lanes(lanes), generate


@intrinsic
def total(_context: Any, value: Any) -> tuple[Signature, Codegen]:
    """Return the sum of the lanes, a float32."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", _FLOAT, [_FLOAT(0.0), arguments[0]])

    return types.float32(lanes), generate


@intrinsic
def largest(_context: Any, value: Any) -> tuple[Signature, Codegen]:
    """Return the largest lane, a float32."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call(builder, f"llvm.vector.reduce.fmax.v{LANES}f32", _FLOAT, list(arguments))

    return types.float32(lanes), generate


@intrinsic
def reaching(_context: Any, value: Any, threshold: Any) -> tuple[Signature, Codegen]:
    """Return an int64 whose bit i is 1 where lane i of value is at or above that of threshold; NaN never is."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        compared = builder.fcmp_ordered(">=", *arguments)
        return builder.zext(builder.bitcast(compared, ir.IntType(LANES)), ir.IntType(64))

    return types.int64(lanes, lanes), generate


@intrinsic
def lowest_bit(_context: Any, bits: Any) -> tuple[Signature, Codegen]:
    """Return the index of the lowest set bit of an int64; bits must not be 0."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.cttz(arguments[0], ir.IntType(1)(1))

    return types.int64(types.int64), generate


def _prefetching(for_write: int, doc: str) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte_pointer = ir.IntType(8).as_pointer()
        address = builder.bitcast(array_address(context, builder, signature, arguments), byte_pointer)
        keep, data = _INT32(3), _INT32(1)
        _call(builder, "llvm.prefetch.p0", ir.VoidType(), [address, _INT32(for_write), keep, data])
        return context.get_dummy_value()

    def typing(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
        return types.void(array, types.intp), generate

    typing.__doc__ = doc
    return intrinsic(typing)


prefetch = _prefetching(1, "Prefetch the cache line of array[offset] for writing.")
prefetch_to_read = _prefetching(0, "Prefetch the cache line of array[offset] for reading.")

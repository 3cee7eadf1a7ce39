"""Vectors of any fixed count of float32 numbers, for kernels that choose it by the registers of the processor.

The operations of `lanes.py` are for LANES numbers; these take the count from their arguments, and `loading`,
`splatting` and `splatting_at` make the operations that have none. LLVM lowers a vector to as many registers as it
needs. No alignment is required, and with NUMBA_BOUNDSCHECK=1 bounds are checked.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from llvmlite import ir
from numba import types

from nestrec.kernels.simd.lanes import Codegen, Signature, VectorType, call, checked_address, elementwise, intrinsic

_FAST = ("reassoc", "contract", "nsz", "arcp", "afn")
_IN_ORDER = ("nsz",)  # of an operation without flags, numba sets those of the kernel
_FLOAT = ir.FloatType()
_INT32 = ir.IntType(32)
_ROUNDER = 1.5 * 2**23  # a float32 number this large has no fraction
# 2^r on [-0.5, 0.5] to 1e-7: the polynomial through it at the Chebyshev nodes, from the lowest power on
_POWER_SERIES = (1.00000011921, 0.693147182465, 0.240221068263, 0.0555035695434, 0.00967603176832, 0.00133908633143)


def _type_of(n: int) -> Any:
    return VectorType(f"Lanes{n}", ir.VectorType(_FLOAT, n))


def _load(context: Any, builder: Any, signature: Any, arguments: Any, what: Any) -> Any:
    address = checked_address(context, builder, signature, arguments, what, getattr(what, "count", 1))
    return builder.load(address, align=4)


def _repeat(builder: Any, number: Any, n: int) -> Any:
    nothing = ir.Constant(ir.VectorType(_FLOAT, n), ir.Undefined)
    first = builder.insert_element(nothing, number, _INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, n), [0] * n))


def _everywhere(like: Any, number: float, of: Any = _FLOAT) -> Any:
    """Return a constant vector of as many numbers as the value `like` has."""
    return ir.Constant(ir.VectorType(of, like.type.count), [of(number)] * like.type.count)


def loading(n: int) -> Any:
    """Return an operation load(array, offset) whose value is array[offset : offset + n]."""

    def load(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _load(context, builder, signature, arguments, ir.VectorType(_FLOAT, n))

        return _type_of(n)(array, types.intp), generate

    return intrinsic(load)


def splatting(n: int) -> Any:
    """Return an operation splat(number) whose value is the same float32 number n times."""

    def splat(_context: Any, number: Any) -> tuple[Signature, Codegen]:
        def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            return _repeat(builder, arguments[0], n)

        return _type_of(n)(types.float32), generate

    return intrinsic(splat)


def splatting_at(n: int) -> Any:
    """Return an operation splat_at(array, offset) whose value is array[offset] n times; the offset is not negative."""

    def splat_at(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _repeat(builder, _load(context, builder, signature, arguments, _FLOAT), n)

        return _type_of(n)(array, types.intp), generate

    return intrinsic(splat_at)


@intrinsic
def load_like(_context: Any, value: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
    """Return as many numbers as value has from array[offset] on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = signature.return_type(*signature.args[1:])
        return _load(context, builder, own, arguments[1:], arguments[0].type)

    return value(value, array, types.intp), generate


@intrinsic
def store(_context: Any, array: Any, offset: Any, value: Any) -> tuple[Signature, Codegen]:
    """Set array[offset : offset + n] to the n numbers of value."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        vector = arguments[2]
        address = checked_address(context, builder, signature, arguments, vector.type, vector.type.count)
        builder.store(vector, address, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, value), generate


def _operation(emit: Callable[..., Any]) -> Any:
    """Make an intrinsic of `emit(builder, *values)`, whose result has the type of the values."""
    return elementwise(wraps(emit)(lambda _context, *given: (given[0](*given), emit)))


def _call(builder: Any, name: str, *values: Any) -> Any:
    return call(builder, f"llvm.{name}.v{values[0].type.count}f32", values[0].type, *values)


@_operation
def add(builder: Any, left: Any, right: Any) -> Any:
    """Return left + right."""
    return builder.fadd(left, right, flags=_FAST)


@_operation
def subtract(builder: Any, left: Any, right: Any) -> Any:
    """Return left - right."""
    return builder.fsub(left, right, flags=_FAST)


@_operation
def multiply(builder: Any, left: Any, right: Any) -> Any:
    """Return left * right."""
    return builder.fmul(left, right, flags=_FAST)


@_operation
def divide(builder: Any, left: Any, right: Any) -> Any:
    """Return left / right."""
    return builder.fdiv(left, right, flags=_FAST)


@_operation
def multiply_add(builder: Any, left: Any, right: Any, addend: Any) -> Any:
    """Return left * right + addend, fused where the processor can."""
    return _call(builder, "fmuladd", left, right, addend)


@_operation
def maximum(builder: Any, left: Any, right: Any) -> Any:
    """Return the larger of left and right, or right if one is NaN: one instruction, unlike LLVM's maxnum."""
    return builder.select(builder.fcmp_ordered(">", left, right), left, right)


@_operation
def inverse_root(builder: Any, value: Any) -> Any:
    """Return 1 / sqrt(value) to a millionth of it, for positive normal numbers; not finite for infinity and NaN.

    Halving the exponent by integer arithmetic gives a first estimate and two steps of Newton's method refine it, the
    first with constants that balance its error (Moroz et al. 2018). A division by a root takes several times longer.
    """
    integers = ir.VectorType(_INT32, value.type.count)
    halved = builder.lshr(builder.bitcast(value, integers), _everywhere(value, 1, _INT32))
    y = builder.bitcast(builder.sub(_everywhere(value, 0x5F1FFFF9, _INT32), halved), value.type)
    for factor, constant in ((0.703952253, 2.38924456), (0.5, 3.0)):
        scaled = builder.fmul(builder.fmul(value, y), _everywhere(value, -factor))
        y = builder.fmul(y, _call(builder, "fmuladd", scaled, y, _everywhere(value, factor * constant)))
    return y


@_operation
def power_of_two(builder: Any, value: Any) -> Any:
    """Return 2^value to a millionth of it, NaN for NaN; values below -86 count as -86, and none may be above 127.

    2^-86 is 1e-26: nothing beside 1, and its products stay above the numbers that processors are slow with.

    value = n + r with whole n, which is added to the exponent bits of 2^r, a polynomial fitted on [-0.5, 0.5]. Adding
    1.5 * 2^23 rounds to n, and leaves n in the last bits of the sum.
    """
    least, integers = _everywhere(value, -86.0), ir.VectorType(_INT32, value.type.count)
    x = builder.select(builder.fcmp_ordered(">", least, value), least, value)
    rounder = _everywhere(x, _ROUNDER)
    rounded = builder.fadd(x, rounder, flags=_IN_ORDER)
    rest = builder.fsub(x, builder.fsub(rounded, rounder, flags=_IN_ORDER), flags=_IN_ORDER)
    series = _everywhere(x, _POWER_SERIES[-1])
    for coefficient in _POWER_SERIES[-2::-1]:
        series = _call(builder, "fmuladd", series, rest, _everywhere(x, coefficient))
    exponent = builder.shl(builder.bitcast(rounded, integers), _everywhere(x, 23, _INT32))
    return builder.bitcast(builder.add(builder.bitcast(series, integers), exponent), x.type)


@intrinsic
def store_totals(
    _context: Any, array: Any, offset: Any, first: Any, _second: Any, _third: Any, _fourth: Any
) -> tuple[Signature, Codegen]:
    """Set array[offset : offset + 4] to the sums of the numbers of four vectors, added together by halves."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        v0, v1, v2, v3 = arguments[2:]
        sums = _add_halves(builder, _add_halves(builder, v0, v1, 2), _add_halves(builder, v2, v3, 2), 4)
        while sums.type.count > 4:
            sums = _add_halves(builder, sums, None, 4)
        builder.store(sums, checked_address(context, builder, signature, arguments, sums.type, 4), align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, first, first, first, first), generate


def _add_halves(builder: Any, left: Any, right: Any, n_groups: int) -> Any:
    """Add the halves of each group of numbers; left and right, if it is given, are n_groups after one another."""
    size = left.type.count * (1 if right is None else 2) // n_groups
    right = left if right is None else right
    halves = (
        [group * size + half * (size // 2) + at for group in range(n_groups) for at in range(size // 2)]
        for half in (0, 1)
    )
    wanted = ir.VectorType(_INT32, n_groups * size // 2)
    parts = [builder.shuffle_vector(left, right, ir.Constant(wanted, half)) for half in halves]
    return builder.fadd(*parts, flags=_FAST)

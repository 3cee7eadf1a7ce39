"""Quantized vectors, multiplied without being unpacked in memory: one source of a kernel for three storages.

| storage | array | a step of 8 items holds | query | sum |
|---|---|---|---|---|
| float32 | float32 | 1 number of each | float32 | 8 float32 |
| bf16 | uint16, the upper half of a float32 | 1 number of each | float32 | 8 float32 |
| int8 | int8 | 2 numbers of each | int16 | 8 int32 |

The operations below are chosen by the array's dtype where a kernel is compiled. Pairs of 16-bit numbers are multiplied
and added in one instruction on most processors (x86 `pmaddwd`), which makes whole numbers twice as fast as floats.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import models, register_model

from nestrec.kernels.simd.lanes import LANES, Codegen, Signature, checked_address, insert_function, intrinsic, lanes

_FLOAT, _DOUBLE = ir.FloatType(), ir.DoubleType()
_INT8, _INT16, _INT32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT32, LANES)
_PAIRS, _WIDE = ir.VectorType(_INT16, 2 * LANES), ir.VectorType(_INT32, 2 * LANES)


class PairsType(types.Type):
    """numba's type of two int16 numbers for each of LANES items."""

    def __init__(self) -> None:
        super().__init__(name=f"Pairs{LANES}")


class SumsType(types.Type):
    """numba's type of LANES int32 sums."""

    def __init__(self) -> None:
        super().__init__(name=f"Sums{LANES}")


pairs: Any = PairsType()
sums: Any = SumsType()


@register_model(PairsType)
class _PairsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _PAIRS)  # type: ignore[no-untyped-call]


@register_model(SumsType)
class _SumsModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, _INTS)  # type: ignore[no-untyped-call]


def _load(context: Any, builder: Any, signature: Any, arguments: Any, what: Any, align: int, n: int) -> Any:
    address = checked_address(context, builder, signature, arguments, n)
    return builder.load(builder.bitcast(address, what.as_pointer()), align=align)


def _broadcast(builder: Any, one: Any, n: int) -> Any:
    nothing = ir.Constant(ir.VectorType(one.type, n), ir.Undefined)
    first = builder.insert_element(nothing, one, _INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, n), [0] * n))


def _call_fused(builder: Any, name: str, of: Any, arguments: Any) -> Any:
    function = insert_function(builder.module, ir.FunctionType(of, [of] * 3), name)
    return builder.call(function, arguments)


@intrinsic
def load_codes(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
    """Return a step of 8 items from this offset: 8 floats of float32 or bf16, 8 pairs of int8 or int16."""
    if array.dtype == types.int8:

        def as_pairs(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            found = _load(context, builder, signature, arguments, ir.VectorType(_INT8, 2 * LANES), 1, 2 * LANES)
            return builder.sext(found, _PAIRS)

        return pairs(array, types.intp), as_pairs
    if array.dtype == types.int16:

        def of_query(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return _load(context, builder, signature, arguments, _PAIRS, 2, 2 * LANES)

        return pairs(array, types.intp), of_query
    if array.dtype == types.uint16:

        def from_halves(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            found = _load(context, builder, signature, arguments, ir.VectorType(_INT16, LANES), 2, LANES)
            bits = builder.shl(builder.zext(found, _INTS), ir.Constant(_INTS, [_INT32(16)] * LANES))
            return builder.bitcast(bits, _FLOATS)

        return lanes(array, types.intp), from_halves

    def as_they_are(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _load(context, builder, signature, arguments, _FLOATS, 4, LANES)

    return lanes(array, types.intp), as_they_are


@intrinsic
def splat_codes(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
    """Return a query's number (float32), or its next two (int16), beside every item."""
    if array.dtype == types.int16:

        def of_pair(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            pair = _load(context, builder, signature, arguments, _INT32, 2, 2)
            return builder.bitcast(_broadcast(builder, pair, LANES), _PAIRS)

        return pairs(array, types.intp), of_pair

    def of_number(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _broadcast(builder, _load(context, builder, signature, arguments, _FLOAT, 4, 1), LANES)

    return lanes(array, types.intp), of_number


@intrinsic
def no_sum(_context: Any, array: Any) -> tuple[Signature, Codegen]:
    """Return the sums of nothing, of the kind that codes of this array are added to."""
    of_int = array.dtype == types.int8

    def generate(_: Any, _builder: Any, _signature: Any, _arguments: Any) -> Any:
        return ir.Constant(_INTS, [_INT32(0)] * LANES) if of_int else ir.Constant(_FLOATS, [_FLOAT(0.0)] * LANES)

    return (sums if of_int else lanes)(array), generate


@intrinsic
def add_product(_context: Any, query: Any, codes: Any, so_far: Any) -> tuple[Signature, Codegen]:
    """Return so_far + query * codes for each item; of pairs, both products."""
    if codes == pairs:

        def of_pairs(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
            products = builder.mul(builder.sext(arguments[0], _WIDE), builder.sext(arguments[1], _WIDE))
            even, odd = (
                builder.shuffle_vector(
                    products, products, ir.Constant(_INTS, [_INT32(2 * lane + side) for lane in range(LANES)])
                )
                for side in (0, 1)
            )
            return builder.add(arguments[2], builder.add(even, odd))

        return sums(pairs, pairs, sums), of_pairs

    def of_floats(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call_fused(builder, f"llvm.fmuladd.v{LANES}f32", _FLOATS, arguments)

    return lanes(lanes, lanes, lanes), of_floats


@intrinsic
def least_sums(_context: Any, array: Any, least: Any) -> tuple[Signature, Codegen]:
    """Return a float64 beside every item, as what sums of codes of this array are compared with; never more than it is.

    Whole numbers are rounded downwards; a float32 may be off by its rounding.
    """
    of_int = array.dtype == types.int8

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        if not of_int:
            return _broadcast(builder, builder.fptrunc(arguments[1], _FLOAT), LANES)
        one = ir.FunctionType(_DOUBLE, [_DOUBLE])
        whole = builder.call(insert_function(builder.module, one, "llvm.floor.f64"), [arguments[1]])
        saturating = ir.FunctionType(_INT32, [_DOUBLE])
        clipped = insert_function(builder.module, saturating, "llvm.fptosi.sat.i32.f64")
        return _broadcast(builder, builder.call(clipped, [whole]), LANES)

    return (sums if of_int else lanes)(array, types.float64), generate


@intrinsic
def any_reaching(_context: Any, low: Any, high: Any, least: Any) -> tuple[Signature, Codegen]:
    """Return whether one of two vectors of sums is at or above the least; NaN never is."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        compare = builder.icmp_signed if low == sums else builder.fcmp_ordered
        one, other = (compare(">=", side, arguments[2]) for side in arguments[:2])
        bits = builder.bitcast(builder.or_(one, other), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, bits.type(0))

    return types.boolean(low, high, least), generate


@intrinsic
def sum_of(_context: Any, so_far: Any) -> tuple[Signature, Codegen]:
    """Return the sum of 8 int32 sums, an int32."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        reduce = insert_function(
            builder.module, ir.FunctionType(_INT32, [_INTS]), f"llvm.vector.reduce.add.v{LANES}i32"
        )
        return builder.call(reduce, arguments)

    return types.int32(sums), generate


@intrinsic
def as_floats(_context: Any, so_far: Any) -> tuple[Signature, Codegen]:
    """Return sums as float32."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.sitofp(arguments[0], _FLOATS) if so_far == sums else arguments[0]

    return lanes(so_far), generate


@intrinsic
def chained(_context: Any, left: Any, right: Any, addend: Any) -> tuple[Signature, Codegen]:
    """Return left * right + addend of single float32 numbers, fused where the processor can."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return _call_fused(builder, "llvm.fmuladd.f32", _FLOAT, arguments)

    return types.float32(types.float32, types.float32, types.float32), generate

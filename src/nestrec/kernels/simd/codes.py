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

from functools import reduce
from typing import Any

from llvmlite import ir
from numba import types

from nestrec.kernels.simd.lanes import (
    LANES,
    Codegen,
    Signature,
    VectorType,
    broadcast,
    call,
    checked_address,
    elementwise,
    intrinsic,
    lanes,
    operation,
    unpack_tuple,
)

_FLOAT, _DOUBLE = ir.FloatType(), ir.DoubleType()
_INT8, _INT16, _INT32 = ir.IntType(8), ir.IntType(16), ir.IntType(32)
_FLOATS, _INTS = ir.VectorType(_FLOAT, LANES), ir.VectorType(_INT32, LANES)
_BYTES, _HALVES = ir.VectorType(_INT8, 2 * LANES), ir.VectorType(_INT16, LANES)
_PAIRS, _WIDE = ir.VectorType(_INT16, 2 * LANES), ir.VectorType(_INT32, 2 * LANES)

pairs: Any = VectorType(f"Pairs{LANES}", _PAIRS)  # two int16 numbers for each of LANES items
sums: Any = VectorType(f"Sums{LANES}", _INTS)  # LANES int32 sums


def _load(what: Any, n: int, context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    align = signature.args[0].dtype.bitwidth // 8
    return builder.load(checked_address(context, builder, signature, arguments, what, n), align=align)


@intrinsic
def load_codes(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
    """Return a step of 8 items from this offset: 8 floats of float32 or bf16, 8 pairs of int8 or int16."""
    dtype = array.dtype

    def generate(*place: Any) -> Any:
        builder = place[1]
        if dtype == types.int8:
            return builder.sext(_load(_BYTES, 2 * LANES, *place), _PAIRS)
        if dtype == types.int16:
            return _load(_PAIRS, 2 * LANES, *place)
        if dtype == types.uint16:
            bits = builder.shl(builder.zext(_load(_HALVES, LANES, *place), _INTS), _INTS([16] * LANES))
            return builder.bitcast(bits, _FLOATS)
        return _load(_FLOATS, LANES, *place)

    return (pairs if dtype in (types.int8, types.int16) else lanes)(array, types.intp), generate


@intrinsic
def splat_codes(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
    """Return a query's number (float32), or its next two (int16), beside every item."""
    of_pairs = array.dtype == types.int16

    def generate(*place: Any) -> Any:
        builder = place[1]
        number = _load(_INT32, 2, *place) if of_pairs else _load(_FLOAT, 1, *place)
        return builder.bitcast(broadcast(builder, number), _PAIRS if of_pairs else _FLOATS)

    return (pairs if of_pairs else lanes)(array, types.intp), generate


@elementwise
def no_sum(_context: Any, array: Any) -> Any:
    """Return the sums of nothing, of the kind that codes of this array are added to."""
    kind = _sums_of(array)
    return kind(array), lambda _builder, _array: kind.llvm([0] * LANES)


@elementwise
def add_product(_context: Any, query: Any, codes: Any, so_far: Any) -> Any:
    """Return so_far + query * codes for each item; of pairs, both products."""

    def of_pairs(builder: Any, query: Any, codes: Any, so_far: Any) -> Any:
        products = builder.mul(builder.sext(query, _WIDE), builder.sext(codes, _WIDE))
        even, odd = (
            builder.shuffle_vector(products, products, _INTS([2 * lane + side for lane in range(LANES)]))
            for side in (0, 1)
        )
        return builder.add(so_far, builder.add(even, odd))

    def of_floats(builder: Any, query: Any, codes: Any, so_far: Any) -> Any:
        return call(builder, f"llvm.fmuladd.v{LANES}f32", _FLOATS, query, codes, so_far, fast=())

    return (sums(pairs, pairs, sums), of_pairs) if codes == pairs else (lanes(lanes, lanes, lanes), of_floats)


@elementwise
def least_sums(_context: Any, array: Any, least: Any) -> Any:
    """Return a float64 beside every item, as what sums of codes of this array are compared with; never more than it is.

    Whole numbers are rounded downwards; a float32 may be off by its rounding.
    """
    kind = _sums_of(array)

    def emit(builder: Any, _array: Any, least: Any) -> Any:
        if kind == lanes:
            return broadcast(builder, builder.fptrunc(least, _FLOAT))
        whole = call(builder, "llvm.floor.f64", _DOUBLE, least, fast=())
        return broadcast(builder, call(builder, "llvm.fptosi.sat.i32.f64", _INT32, whole, fast=()))

    return kind(array, types.float64), emit


@intrinsic
def any_reaching(_context: Any, vectors: Any, least: Any) -> tuple[Signature, Codegen]:
    """Return whether a sum of a tuple of vectors is at or above the least; NaN never is."""

    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        compare = builder.icmp_signed if least == sums else builder.fcmp_ordered
        reached = [compare(">=", vector, arguments[1]) for vector in unpack_tuple(builder, arguments[0])]
        bits = builder.bitcast(reduce(builder.or_, reached), ir.IntType(LANES))
        return builder.icmp_unsigned("!=", bits, bits.type(0))

    return types.boolean(vectors, least), generate


@operation(types.int32, sums)
def sum_of(builder: Any, so_far: Any) -> Any:
    """Return the sum of 8 int32 sums, an int32."""
    return call(builder, f"llvm.vector.reduce.add.v{LANES}i32", _INT32, so_far, fast=())


@elementwise
def as_floats(_context: Any, so_far: Any) -> Any:
    """Return sums as float32."""
    return lanes(so_far), lambda builder, values: builder.sitofp(values, _FLOATS) if so_far == sums else values


@operation(types.float32, types.float32, types.float32, types.float32)
def chained(builder: Any, left: Any, right: Any, addend: Any) -> Any:
    """Return left * right + addend of single float32 numbers, fused where the processor can."""
    return call(builder, "llvm.fmuladd.f32", _FLOAT, left, right, addend, fast=())


def _sums_of(array: Any) -> Any:
    """Return the type that sums of products of these codes have."""
    return sums if array.dtype == types.int8 else lanes

"""Eight float32 numbers handled as one value inside compiled kernels.

numba relies on LLVM to vectorize scalar loops, which rarely succeeds in loops as short as a narrow width. Here vectors
are explicit: LLVM lowers them to the registers of the processor (two of four, one of eight, half of one of sixteen).
`load` and `store` take a flat array and an offset; bounds are checked only with NUMBA_BOUNDSCHECK=1, as numba's own,
under which the kernel tests run.

Where an operation is given tuples of vectors, it is done for their elements one after another, with the same vector
beside all of them where the other argument is a single one.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
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

unpack_tuple: Callable[..., Any] = cgutils.unpack_tuple

UniTuple: Any = types.UniTuple  # of vectors of one type

settings: Any = config  # of numba: its stub does not name them

Signature = Any
Codegen = Callable[[Any, Any, Any, Any], Any]


class VectorType(types.Type):
    """numba's type of a vector of numbers that is held in registers."""

    def __init__(self, name: str, llvm: ir.VectorType) -> None:
        super().__init__(name=name)
        self.llvm = llvm


@register_model(VectorType)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, numba_type: Any) -> None:
        super().__init__(manager, numba_type, numba_type.llvm)  # type: ignore[no-untyped-call]


lanes: Any = VectorType(f"Lanes{LANES}", _VECTOR)


def elementwise(choose: Callable[..., Any]) -> Any:
    """Make an intrinsic of a function that returns its signature and what emits it, `emit(builder, *values)`."""

    @wraps(choose)
    def define(context: Any, *given: Any) -> tuple[Signature, Codegen]:
        counts = {kind.count for kind in given if isinstance(kind, UniTuple)}
        one, emit = choose(context, *(kind.dtype if isinstance(kind, UniTuple) else kind for kind in given))
        if not counts:
            return one, lambda _context, builder, _signature, values: emit(builder, *values)
        (n,) = counts
        taken = [
            UniTuple(expected, n) if isinstance(kind, UniTuple) else expected
            for kind, expected in zip(given, one.args, strict=True)
        ]
        return UniTuple(one.return_type, n)(*taken), _emit_for_each(emit)

    return intrinsic(define)


def operation(result: Any, *parameters: Any) -> Callable[[Callable[..., Any]], Any]:
    """Decorate `emit(builder, *values)` to make an intrinsic of this signature of it."""

    def decorate(emit: Callable[..., Any]) -> Any:
        return elementwise(wraps(emit)(lambda _context, *_given: (result(*parameters), emit)))

    return decorate


def _emit_for_each(emit: Callable[..., Any]) -> Codegen:
    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        n = signature.return_type.count
        columns = [
            unpack_tuple(builder, value) if isinstance(kind, UniTuple) else [value] * n
            for kind, value in zip(signature.args, values, strict=True)
        ]
        results = [emit(builder, *row) for row in zip(*columns, strict=True)]
        return context.make_tuple(builder, signature.return_type, results)

    return generate


def array_address(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """Return the address of the element at an offset (second argument) of an intrinsic's array (first argument)."""
    array = context.make_array(signature.args[0])(context, builder, arguments[0])
    return builder.gep(array.data, [arguments[1]])


def checked_address(context: Any, builder: Any, signature: Any, arguments: Any, what: Any, n: int) -> Any:
    """Return that place as the address of `what`, from which n elements are used.

    With NUMBA_BOUNDSCHECK=1 an IndexError where the array has fewer.
    """
    if settings.BOUNDSCHECK:
        first = arguments[1]
        size = context.make_array(signature.args[0])(context, builder, arguments[0]).nitems
        for place in (first, builder.add(first, first.type(n - 1))):
            check_bounds(context, builder, place, size)
    return builder.bitcast(array_address(context, builder, signature, arguments), what.as_pointer())


def call(builder: Any, name: str, returns: Any, *arguments: Any, fast: tuple[str, ...] = _FAST) -> Any:
    """Call an intrinsic function of LLVM."""
    function_type = ir.FunctionType(returns, [argument.type for argument in arguments])
    return builder.call(insert_function(builder.module, function_type, name), arguments, fastmath=fast)


def broadcast(builder: Any, number: Any) -> Any:
    """Return a vector that has a number in every lane."""
    vector = ir.VectorType(number.type, LANES)
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, number, _INT32(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(_INT32, LANES), [0] * LANES))


def _loading(n: int, doc: str) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first = arguments
        places = [(array, builder.add(first, first.type(at * LANES)) if at else first) for at in range(n)]
        addresses = [checked_address(context, builder, signature, place, _VECTOR, LANES) for place in places]
        vectors = [builder.load(address, align=4) for address in addresses]
        return vectors[0] if n == 1 else context.make_tuple(builder, signature.return_type, vectors)

    def define(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
        return (lanes if n == 1 else UniTuple(lanes, n))(array, types.intp), generate

    define.__doc__ = doc
    return intrinsic(define)


load = _loading(1, "Return array[offset : offset + LANES]; no alignment is required.")
load_two = _loading(2, "Return the vectors of 2 * LANES numbers from an offset, as a tuple.")
load_three = _loading(3, "Return the vectors of 3 * LANES numbers from an offset, as a tuple.")


@intrinsic
def store(_context: Any, array: Any, offset: Any, value: Any) -> tuple[Signature, Codegen]:
    """Set array[offset : offset + LANES] to value; as many again for each further vector of a tuple."""
    many = isinstance(value, UniTuple)

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        array, first, given = arguments
        for at, vector in enumerate(unpack_tuple(builder, given) if many else [given]):
            place = builder.add(first, first.type(at * LANES)) if at else first
            address = checked_address(context, builder, signature, (array, place), _VECTOR, LANES)
            builder.store(vector, address, align=4)
        return context.get_dummy_value()

    return types.void(array, types.intp, UniTuple(lanes, value.count) if many else lanes), generate


@operation(lanes, types.float32)
def splat(builder: Any, number: Any) -> Any:
    """Return the same float32 number in every lane."""
    return broadcast(builder, number)


@operation(lanes, lanes, lanes)
def add(builder: Any, left: Any, right: Any) -> Any:
    """Return left + right."""
    return builder.fadd(left, right, flags=_FAST)


@operation(lanes, lanes, lanes)
def subtract(builder: Any, left: Any, right: Any) -> Any:
    """Return left - right."""
    return builder.fsub(left, right, flags=_FAST)


@operation(lanes, lanes, lanes)
def multiply(builder: Any, left: Any, right: Any) -> Any:
    """Return left * right."""
    return builder.fmul(left, right, flags=_FAST)


@operation(lanes, lanes, lanes, lanes)
def multiply_add(builder: Any, left: Any, right: Any, addend: Any) -> Any:
    """Return left * right + addend, fused where the processor can."""
    return call(builder, f"llvm.fmuladd.v{LANES}f32", _VECTOR, left, right, addend)


@operation(types.float32, lanes)
def total(builder: Any, value: Any) -> Any:
    """Return the sum of the lanes, a float32."""
    return call(builder, f"llvm.vector.reduce.fadd.v{LANES}f32", _FLOAT, _FLOAT(0.0), value)


@operation(types.float32, lanes)
def largest(builder: Any, value: Any) -> Any:
    """Return the largest lane, a float32."""
    return call(builder, f"llvm.vector.reduce.fmax.v{LANES}f32", _FLOAT, value)


@operation(types.int64, lanes, lanes)
def reaching(builder: Any, value: Any, threshold: Any) -> Any:
    """Return an int64 whose bit i is 1 where lane i of value is at or above that of threshold; NaN never is."""
    compared = builder.fcmp_ordered(">=", value, threshold)
    return builder.zext(builder.bitcast(compared, ir.IntType(LANES)), ir.IntType(64))


@operation(types.int64, types.int64)
def lowest_bit(builder: Any, bits: Any) -> Any:
    """Return the index of the lowest set bit of an int64; bits must not be 0."""
    return builder.cttz(bits, ir.IntType(1)(1))


def _prefetching(for_write: int, doc: str) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte_pointer = ir.IntType(8).as_pointer()
        address = builder.bitcast(array_address(context, builder, signature, arguments), byte_pointer)
        keep, data = _INT32(3), _INT32(1)
        call(builder, "llvm.prefetch.p0", ir.VoidType(), address, _INT32(for_write), keep, data, fast=())
        return context.get_dummy_value()

    def typing(_context: Any, array: Any, offset: Any) -> tuple[Signature, Codegen]:
        return types.void(array, types.intp), generate

    typing.__doc__ = doc
    return intrinsic(typing)


prefetch = _prefetching(1, "Prefetch the cache line of array[offset] for writing.")
prefetch_to_read = _prefetching(0, "Prefetch the cache line of array[offset] for reading.")

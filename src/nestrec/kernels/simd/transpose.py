"""Transposition of blocks of 8 x 8 numbers in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir

from nestrec.kernels.compiled import compiled
from nestrec.kernels.simd.lanes import LANES, Codegen, Signature, intrinsic, lanes, load, store

_INT32 = ir.IntType(32)


def _shuffling(chosen: tuple[int, ...], doc: str) -> Any:
    def generate(_: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.shuffle_vector(*arguments, ir.Constant(ir.VectorType(_INT32, LANES), list(chosen)))

    def typing(_context: Any, left: Any, right: Any) -> tuple[Signature, Codegen]:
        return lanes(lanes, lanes), generate

    typing.__doc__ = doc
    return intrinsic(typing)


_low = _shuffling((0, 8, 1, 9, 4, 12, 5, 13), "Interleave the first halves of each four lanes.")
_high = _shuffling((2, 10, 3, 11, 6, 14, 7, 15), "Interleave the second halves of each four lanes.")
_low_pairs = _shuffling((0, 1, 8, 9, 4, 5, 12, 13), "Interleave the first pairs of each four lanes.")
_high_pairs = _shuffling((2, 3, 10, 11, 6, 7, 14, 15), "Interleave the second pairs of each four lanes.")
_first = _shuffling((0, 1, 2, 3, 8, 9, 10, 11), "Join the first four lanes of both.")
_last = _shuffling((4, 5, 6, 7, 12, 13, 14, 15), "Join the last four lanes of both.")


@compiled
def transpose_tile(source: Any, at: int, stride: int, target: Any, to: int, target_stride: int) -> None:
    """Set target[to + c * target_stride + r] to source[at + r * stride + c] for r and c below 8."""
    r0, r1 = load(source, at), load(source, at + stride)
    r2, r3 = load(source, at + 2 * stride), load(source, at + 3 * stride)
    r4, r5 = load(source, at + 4 * stride), load(source, at + 5 * stride)
    r6, r7 = load(source, at + 6 * stride), load(source, at + 7 * stride)
    p0, p1, p2, p3 = _low(r0, r1), _high(r0, r1), _low(r2, r3), _high(r2, r3)
    p4, p5, p6, p7 = _low(r4, r5), _high(r4, r5), _low(r6, r7), _high(r6, r7)
    q0, q1, q2, q3 = _low_pairs(p0, p2), _high_pairs(p0, p2), _low_pairs(p1, p3), _high_pairs(p1, p3)
    q4, q5, q6, q7 = _low_pairs(p4, p6), _high_pairs(p4, p6), _low_pairs(p5, p7), _high_pairs(p5, p7)
    store(target, to, _first(q0, q4))
    store(target, to + target_stride, _first(q1, q5))
    store(target, to + 2 * target_stride, _first(q2, q6))
    store(target, to + 3 * target_stride, _first(q3, q7))
    store(target, to + 4 * target_stride, _last(q0, q4))
    store(target, to + 5 * target_stride, _last(q1, q5))
    store(target, to + 6 * target_stride, _last(q2, q6))
    store(target, to + 7 * target_stride, _last(q3, q7))

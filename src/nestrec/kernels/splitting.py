"""Marking which interactions are held out, and dividing a CSR by the marks.

A random choice takes the smallest of one 64-bit hash per position. The hash (splitmix64) is a bijection of the
position, so no two are equal and "the n smallest" is exact; it is recomputed on every pass instead of being stored.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled
from nestrec.kernels.shuffle import mixed, random_bits

Int64 = npt.NDArray[np.int64]
Int32 = npt.NDArray[np.int32]
Float64 = npt.NDArray[np.float64]
Marks = npt.NDArray[np.bool_]
Bits = Any  # one np.uint64

_DIGIT_BITS = 16
_N_DIGITS = 4  # of 16 bits each, in a 64-bit hash


@compiled
def mark_random(indptr: Int64, seed: int, n: int, marks: Marks) -> None:
    """Mark n positions at random, never all of a row; n is from 1 to the positions less the rows that have any."""
    key: Bits = mixed(seed)
    _mark_anchors(indptr, key, marks)
    largest = _nth_smallest(marks, key, n)
    for position in range(len(marks)):
        marks[position] = not marks[position] and random_bits(key, position) <= largest


@compiled
def _mark_anchors(indptr: Int64, key: Bits, anchors: Marks) -> None:
    """Mark in each row the position with the largest hash: the one that is never taken."""
    for row in range(len(indptr) - 1):
        if indptr[row] == indptr[row + 1]:
            continue
        best = indptr[row]
        for position in range(indptr[row] + 1, indptr[row + 1]):
            if random_bits(key, position) > random_bits(key, best):
                best = position
        anchors[best] = True


@compiled
def _nth_smallest(anchors: Marks, key: Bits, n: int) -> Bits:
    """Return the n-th smallest (from 1) hash of the positions that are no anchors, found 16 bits at a time."""
    prefix = np.uint64(0)
    counts = np.empty(1 << _DIGIT_BITS, dtype=np.int64)
    for digit in range(_N_DIGITS):
        shift = np.uint64(_DIGIT_BITS * (_N_DIGITS - 1 - digit))
        _count_digits(anchors, key, prefix, shift, digit == 0, counts)
        value = 0
        while counts[value] < n:
            n -= counts[value]
            value += 1
        prefix = (prefix << np.uint64(_DIGIT_BITS)) | np.uint64(value)
    return prefix


@compiled
def _count_digits(anchors: Marks, key: Bits, prefix: Bits, shift: Bits, first: bool, counts: Int64) -> None:
    """Count the 16 bits above `shift` over the hashes whose higher bits are the prefix."""
    counts[:] = 0
    mask = np.uint64((1 << _DIGIT_BITS) - 1)
    for position in range(len(anchors)):
        if anchors[position]:
            continue
        shifted = random_bits(key, position) >> shift
        if first or (shifted >> np.uint64(_DIGIT_BITS)) == prefix:
            counts[shifted & mask] += 1


@compiled
def mark_last(indptr: Int64, timestamps: Float64, n: int, marks: Marks) -> None:
    """Mark each row's n latest positions (of equal times the later ones), in rows of more than n."""
    for row in range(len(indptr) - 1):
        start, end = indptr[row], indptr[row + 1]
        if end - start <= n:
            continue
        order = np.argsort(timestamps[start:end], kind="mergesort")
        for place in range(end - start - n, end - start):
            marks[start + order[place]] = True


@compiled
def count_marked(indptr: Int64, marks: Marks, marked_indptr: Int64) -> None:
    """Write the row boundaries of the marked positions taken alone."""
    count = 0
    marked_indptr[0] = 0
    for row in range(len(indptr) - 1):
        for position in range(indptr[row], indptr[row + 1]):
            count += marks[position]
        marked_indptr[row + 1] = count

"""Marking which interactions are held out, and dividing a CSR by the marks.

A random choice takes the smallest of one 64-bit hash per position. The hash (splitmix64) is a bijection of the
position, so no two are equal and "the n smallest" is exact; it is recomputed on every pass instead of being stored.

Ranges: `indptr` is that of `Interactions`, which has checked that it ascends from 0 to the number of positions; marks
have that length. All passes are in slices.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import BoolArray, Float64Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import mix_bits, random_bits
from nestrec.parallel.slices import position_slices, row_slices

Bits = Any  # one np.uint64

_DIGIT_BITS = 16
_N_DIGITS = 4  # of 16 bits each, in a 64-bit hash
_SORTED_AT_ONCE = 1 << 19  # positions


def mark_random(indptr: Int64Array, seed: int, n: int, marks: BoolArray) -> None:
    """Mark n positions at random, never all of a row; n is from 1 to the positions less the rows that have any."""
    key: Bits = np.uint64(mix_bits(np.uint64(seed)))
    for first, last in row_slices(indptr):
        _mark_anchors(indptr, key, marks, first, last)
    largest = _find_nth_smallest(marks, key, n)
    for first, last in position_slices(len(marks)):
        _mark_up_to(marks, key, largest, first, last)


@compiled
def _mark_anchors(indptr: Int64Array, key: Bits, anchors: BoolArray, first: int, last: int) -> None:
    """Mark in each row of first:last the position with the largest hash: which is never held out."""
    for row in range(first, last):
        if indptr[row] == indptr[row + 1]:
            continue
        best = indptr[row]
        for position in range(indptr[row] + 1, indptr[row + 1]):
            if random_bits(key, position) > random_bits(key, best):
                best = position
        anchors[best] = True


@compiled
def _mark_up_to(marks: BoolArray, key: Bits, largest: Bits, first: int, last: int) -> None:
    """Replace marks of anchors by marks of the others whose hash is not above the largest."""
    for position in range(first, last):
        marks[position] = not marks[position] and random_bits(key, position) <= largest


def _find_nth_smallest(anchors: BoolArray, key: Bits, n: int) -> Bits:
    """Return the n-th smallest (from 1) hash of the positions that are no anchors, found 16 bits at a time."""
    prefix = 0
    for digit in range(_N_DIGITS):
        shift = np.uint64(_DIGIT_BITS * (_N_DIGITS - 1 - digit))
        counts = np.zeros(1 << _DIGIT_BITS, dtype=np.int64)
        for first, last in position_slices(len(anchors)):
            _count_digits(anchors, key, np.uint64(prefix), shift, digit == 0, counts, first, last)
        up_to = np.cumsum(counts)
        value = int(np.searchsorted(up_to, n))
        n -= int(up_to[value] - counts[value])
        prefix = (prefix << _DIGIT_BITS) | value
    return np.uint64(prefix)


@compiled
def _count_digits(
    anchors: BoolArray, key: Bits, prefix: Bits, shift: Bits, whole: bool, counts: Int64Array, first: int, last: int
) -> None:
    """Count the 16 bits above `shift` over the hashes whose higher bits are the prefix, all of them if `whole`."""
    mask = np.uint64((1 << _DIGIT_BITS) - 1)
    for position in range(first, last):
        if anchors[position]:
            continue
        shifted = random_bits(key, position) >> shift
        if whole or (shifted >> np.uint64(_DIGIT_BITS)) == prefix:
            counts[np.int64(shifted & mask)] += 1


def mark_last(indptr: Int64Array, timestamps: Float64Array, n: int, marks: BoolArray) -> None:
    """Mark each row's n latest positions (of equal times the later ones), in rows of more than n."""
    for first, last in row_slices(indptr, _SORTED_AT_ONCE):
        if indptr[last] - indptr[first] <= _SORTED_AT_ONCE:
            _mark_last(indptr, timestamps, n, marks, first, last)
        else:
            row = slice(indptr[first], indptr[last])
            marks[row] = _mark_latest_of(timestamps[row], n)


def _mark_latest_of(times: Float64Array, n: int) -> BoolArray:
    """Return marks of the n latest times of one long row, found without sorting it."""
    if len(times) <= n:
        return np.zeros(len(times), dtype=np.bool_)
    least = np.partition(times, len(times) - n)[len(times) - n]
    latest: BoolArray = times > least
    equal = np.flatnonzero(times == least)
    latest[equal[len(equal) - (n - int(np.count_nonzero(latest))) :]] = True
    return latest


@compiled
def _mark_last(indptr: Int64Array, timestamps: Float64Array, n: int, marks: BoolArray, first: int, last: int) -> None:
    for row in range(first, last):
        start, end = indptr[row], indptr[row + 1]
        if end - start <= n:
            continue
        order = np.argsort(timestamps[start:end], kind="mergesort")
        for place in range(end - start - n, end - start):
            marks[start + order[place]] = True


def count_marked(indptr: Int64Array, marks: BoolArray, marked_indptr: Int64Array) -> None:
    """Write the row boundaries of the marked positions taken alone."""
    marked_indptr[0] = 0
    for first, last in row_slices(indptr):
        _count_marked(indptr, marks, marked_indptr, first, last)


@compiled
def _count_marked(indptr: Int64Array, marks: BoolArray, marked_indptr: Int64Array, first: int, last: int) -> None:
    count = marked_indptr[first]
    for row in range(first, last):
        for position in range(indptr[row], indptr[row + 1]):
            count += marks[position]
        marked_indptr[row + 1] = count

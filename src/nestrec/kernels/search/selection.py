"""Top-k selection from a stream of scored items, without a heap: a buffer of keys, cut back when it is full.

A key is one int64 that orders as the ranking does: the score's bits, rearranged so that whole numbers order as the
floats do, above the complement of the item index, so that of equal scores the lower index has the greater key. Keys are
unique. A full buffer is cut to its best by halving an interval of key values and counting the keys above the middle:
passes over contiguous memory that use the vector units, where a heap waits for one hard-to-guess branch after another.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled

LOWEST_SCORE = np.float32(np.finfo(np.float32).min)
_INDEX_BITS = np.int64(0x7FFFFFFF)
_MAGNITUDE = np.int32(0x7FFFFFFF)
_LOWEST_BITS = int(np.array(LOWEST_SCORE).view(np.int32)) ^ 0x7FFFFFFF
LOWEST_KEY = np.int64(_LOWEST_BITS << 32)  # at or below the key of every finite score
_MINUS_INFINITY_BITS = int(np.array(-np.inf, dtype=np.float32).view(np.int32)) ^ 0x7FFFFFFF
NO_KEY = np.int64((_MINUS_INFINITY_BITS << 32) | 0x80000000)  # decodes to item -1 with score minus infinity
_RANKED_BY_COUNTING = 512  # up to this many keys, comparing all with all is faster than a sort


@compiled
def encode_key(bits: np.int32, item: np.int32) -> np.int64:
    """Return the key of a float32 score given by its bits, and an item index; 0.0 and -0.0 are equal."""
    ordered = np.int32(bits ^ ((bits >> np.int32(31)) & _MAGNITUDE))
    if ordered == np.int32(-1):  # -0.0
        ordered = np.int32(0)
    return np.int64((np.int64(ordered) << np.int64(32)) | (_INDEX_BITS - np.int64(item)))


def encode_keys(scores: Float32Array, items: npt.NDArray[np.integer]) -> Int64Array:
    """Return the keys of scores and item indices, as `encode_key` does one by one."""
    bits = np.ascontiguousarray(scores).view(np.int32)
    ordered = bits ^ ((bits >> np.int32(31)) & _MAGNITUDE)
    ordered = np.where(ordered == np.int32(-1), np.int32(0), ordered).astype(np.int64)
    keys: Int64Array = (ordered << np.int64(32)) | (_INDEX_BITS - items.astype(np.int64))
    return keys


@compiled
def decode_item(key: np.int64) -> np.int64:
    """Return the item index within a key."""
    return np.int64(_INDEX_BITS - (key & np.int64(0xFFFFFFFF)))


def decode_items(keys: Int64Array) -> Int32Array:
    """Return the item indices within keys; -1 of NO_KEY."""
    items: Int64Array = _INDEX_BITS - (keys & np.int64(0xFFFFFFFF))
    return items.astype(np.int32)


def decode_scores(keys: Int64Array) -> Float32Array:
    """Return the scores within keys; minus infinity of NO_KEY."""
    ordered = (keys >> np.int64(32)).astype(np.int32)
    return (ordered ^ ((ordered >> np.int32(31)) & _MAGNITUDE)).view(np.float32)


@compiled
def decode_score_bits(key: np.int64) -> np.int32:
    """Return the bits of the score within a key."""
    ordered = np.int32(key >> np.int64(32))
    return np.int32(ordered ^ ((ordered >> np.int32(31)) & _MAGNITUDE))


@compiled
def keep_best(keys: Int64Array, count: int, k: int, slack: int) -> tuple[int, np.int64]:
    """Move the best k to k + slack of the first `count` > k keys to the front; return how many, and a floor below them.

    At least k keys are at or above the floor, so a key below it can be refused from now on. No more than k + slack are
    kept, even of keys that are not unique, so that the buffer always has space again.
    """
    floor = _floor(keys[:count], k, slack)
    kept = 0
    for i in range(count):
        key = keys[i]
        keys[kept] = key
        kept += int(key >= floor)
    return min(kept, k + slack), floor


@compiled
def _floor(keys: Int64Array, k: int, slack: int) -> np.int64:
    """Return a value that k to k + slack of the keys reach, by halving the interval it must be in."""
    low: np.int64 = keys[0]
    high: np.int64 = keys[0]
    for i in range(len(keys)):
        low, high = min(low, keys[i]), max(high, keys[i])
    reaching = len(keys)
    while reaching > k + slack and low < high:  # low == high: all that reach it are the same key
        middle = (low | high) - ((low ^ high) >> np.int64(1))  # their mean rounded up; high - low could overflow
        above = _count_reaching(keys, middle)
        if above >= k:
            low, reaching = middle, above
        else:
            high = middle - np.int64(1)
    return low


@compiled
def _count_reaching(keys: Int64Array, floor: np.int64) -> int:
    count = 0
    for i in range(len(keys)):
        count += int(keys[i] >= floor)
    return count


@compiled
def write_best(keys: Int64Array, best: Int64Array) -> None:
    """Write the greatest keys to `best`, greatest first; entries without a key keep their value."""
    if len(keys) > _RANKED_BY_COUNTING:
        ordered = np.sort(keys)
        for place in range(min(len(keys), len(best))):
            best[place] = ordered[len(keys) - 1 - place]
        return
    for i in range(len(keys)):
        place = 0
        for j in range(len(keys)):
            place += int(keys[j] > keys[i])
        if place < len(best):
            best[place] = keys[i]

"""A hash table from ids to the order of their first appearance: whole numbers and text in one table.

Text that is the canonical form of a 64-bit number is stored as that number, so a column of digits costs 8 bytes an id
and a late `"abc"` changes nothing that was stored before. Open addressing, linear probing, at most half full.

The table is five arrays: `slots` (a power of two) int32 entry or -1; per entry `keys` int64 (the number, or the
text's hash), `lengths` int32 (-1 for a number, else bytes), `offsets` int64 into `arena` (uint8, the texts in a row).
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Int32Array, Int64Array, UInt8Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import mix_bits
from nestrec.kernels.data.fields import equals

_NUMBER = np.int32(-1)  # the `length` of an entry that is a number
_EMPTY = np.int32(-1)
_ZERO = np.int64(0)


@compiled
def _mix_bits(key: np.int64) -> np.int64:
    """Spread a key over 64 bits."""
    return np.int64(mix_bits(key))


@compiled
def _hash_text(buffer: UInt8Array, start: int, end: int) -> np.int64:
    """Return FNV-1a of the bytes."""
    bits = np.uint64(0xCBF29CE484222325)
    for place in range(start, end):
        bits = (bits ^ np.uint64(buffer[place])) * np.uint64(0x100000001B3)
    return np.int64(bits)


@compiled
def parse_whole_number(buffer: UInt8Array, start: int, end: int) -> tuple[np.int64, bool]:
    """Return the 64-bit number these bytes are the canonical text of and True, or 0 and False."""
    negative = end > start and buffer[start] == 45
    first = start + 1 if negative else start
    n_digits = end - first
    if n_digits < 1 or n_digits > 19 or (buffer[first] == 48 and (n_digits > 1 or negative)):
        return _ZERO, False
    value = np.uint64(0)
    for place in range(first, end):
        digit = buffer[place] - 48
        if digit < 0 or digit > 9:
            return _ZERO, False
        value = value * np.uint64(10) + np.uint64(digit)  # 19 digits stay below 2^64
    limit = np.uint64(9223372036854775808) if negative else np.uint64(9223372036854775807)
    if value > limit:
        return _ZERO, False
    number = np.int64(value)
    return (-number if negative else number), True


@compiled
def index_numbers(
    numbers: Int64Array,  # (n,)
    slots: Int32Array,
    keys: Int64Array,
    lengths: Int32Array,
    used: Int64Array,  # (2,) entries, bytes of the arena; updated
    out: Int32Array,  # (n,) the entry of each number
) -> None:
    """Find or add each number."""
    mask = len(slots) - 1
    for row in range(len(numbers)):
        key = numbers[row]
        slot = _mix_bits(key) & mask
        while True:
            entry = slots[slot]
            if entry == _EMPTY:
                entry = np.int32(used[0])
                slots[slot], keys[entry], lengths[entry] = entry, key, _NUMBER
                used[0] += 1
                break
            if keys[entry] == key and lengths[entry] == _NUMBER:
                break
            slot = (slot + 1) & mask
        out[row] = entry


@compiled
def index_text(
    buffer: UInt8Array,
    starts: Int64Array,  # (n,) bytes start:end of the buffer are one id
    ends: Int64Array,
    slots: Int32Array,
    keys: Int64Array,
    lengths: Int32Array,
    offsets: Int64Array,
    arena: UInt8Array,
    used: Int64Array,  # (2,) entries, bytes of the arena; updated
    out: Int32Array,  # (n,)
) -> None:
    """Find or add each text, as a number where it is the canonical form of one."""
    mask = len(slots) - 1
    for row in range(len(starts)):
        start, end = starts[row], ends[row]
        key, is_number = parse_whole_number(buffer, start, end)
        length = _NUMBER
        if not is_number:
            key, length = _hash_text(buffer, start, end), np.int32(end - start)
        slot = _mix_bits(key) & mask
        while True:
            entry = slots[slot]
            if entry == _EMPTY:
                entry = np.int32(used[0])
                slots[slot], keys[entry], lengths[entry], offsets[entry] = entry, key, length, used[1]
                if not is_number:
                    arena[used[1] : used[1] + length] = buffer[start:end]
                    used[1] += length
                used[0] += 1
                break
            same = keys[entry] == key and lengths[entry] == length
            if same and (is_number or equals(buffer, start, arena, offsets[entry], int(length))):
                break
            slot = (slot + 1) & mask
        out[row] = entry


@compiled
def refill_slots(keys: Int64Array, n_entries: int, slots: Int32Array) -> None:
    """Enter the first `n_entries` into empty, larger slots."""
    slots[:] = _EMPTY
    mask = len(slots) - 1
    for entry in range(n_entries):
        slot = _mix_bits(keys[entry]) & mask
        while slots[slot] != _EMPTY:
            slot = (slot + 1) & mask
        slots[slot] = entry

"""Top-k buffers of a block of users during a scan: one buffer of keys for each user and width.

Most scores are refused by comparing a panel of them with the slot's threshold; the few others become keys.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.selection import (
    LOWEST_KEY,
    LOWEST_SCORE,
    NO_KEY,
    decode_score_bits,
    encode_key,
    keep_best,
    write_best,
)
from nestrec.kernels.simd.lanes import LANES, lowest_bit

GROUP = 4  # users scored together
PANEL = 3 * LANES  # items whose scores with a group are held in registers: 12 vectors, of 16 on most processors


class Buffers(NamedTuple):
    """Best keys so far: one slot for each group, width and user of the group, in this order."""

    keys: Int64Array  # (n_slots, capacity)
    counts: Int64Array  # (n_slots,) how many of them are filled
    floors: Int64Array  # (n_slots,) keys below are refused
    thresholds: Float32Array  # (n_slots,) so are scores below
    cursors: Int64Array  # (n_users,) excluded positions of each user that are passed


def empty_buffers(n_users: int, n_widths: int, k: int) -> Buffers:
    """Return buffers for the best k of each user and width."""
    n_groups = -(-n_users // GROUP)
    thresholds = np.full((n_groups, n_widths, GROUP), LOWEST_SCORE, dtype=np.float32)
    thresholds[-1, :, n_users - (n_groups - 1) * GROUP :] = np.inf  # padding
    return Buffers(
        np.empty((thresholds.size, capacity(k)), dtype=np.int64),
        np.zeros(thresholds.size, dtype=np.int64),
        np.full(thresholds.size, LOWEST_KEY, dtype=np.int64),
        thresholds.ravel(),
        np.zeros(n_users, dtype=np.int64),
    )


def capacity(k: int) -> int:
    """Return how many keys a slot holds: the best k, nearly as many again before it is cut, and one panel more."""
    return k + max(k, 2 * PANEL) + PANEL


@compiled
def add_panel(
    scores: Float32Array,
    at: int,  # offset of a panel
    items: Int32Array,  # item_index
    panel: int,  # offset of the same panel
    reached: int,  # bit i is 1 where the i-th score of the panel reaches the slot's threshold
    k: int,
    keys: Int64Array,  # this and the next three: those of the buffers
    counts: Int64Array,
    floors: Int64Array,
    thresholds: Float32Array,
    slot: int,
) -> None:
    """Add the items whose keys reach the floor to a slot; cut it when it is full."""
    bits = scores.view(np.int32)
    own, count, floor = keys[slot], counts[slot], floors[slot]
    while reached != 0:
        j = lowest_bit(reached)
        reached &= reached - 1
        key = encode_key(bits[at + j], items[panel + j])
        own[count] = key  # written always, counted if good enough: no branch to guess
        count += int(key >= floor)
    if count + PANEL > len(own):
        count, floors[slot] = keep_best(own, count, k, k // 16)
        thresholds.view(np.int32)[slot] = decode_score_bits(floors[slot])
    counts[slot] = count


@compiled
def collect_best(buffers: Buffers, n_users: int, n_widths: int, k: int) -> Int64Array:
    """Return (n_users, n_widths, k) keys, greatest first, NO_KEY where no more are left."""
    best = np.full((n_users, n_widths, k), NO_KEY, dtype=np.int64)
    for user in range(n_users):
        for level in range(n_widths):
            slot = (user // GROUP * n_widths + level) * GROUP + user % GROUP
            keys, count = buffers.keys[slot], buffers.counts[slot]
            if count > k:
                count, _ = keep_best(keys, count, k, k // 16)
            write_best(keys[:count], best[user, level])
    return best

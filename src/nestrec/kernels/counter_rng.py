"""Counter-based random numbers and permutations: each is a hash of a key and a position, without stored state.

The order of an epoch is a Feistel network over the smallest even-bit range that holds the positions, applied until the
result is inside (Black & Rogaway 2002): no permutation of a hundred million numbers is stored, and any position can be
found again after a restart. The hash is splitmix64's finaliser (Steele, Lea & Flood 2014). Keys and bits are uint64,
in Python numpy's.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.kernels.compiled import compiled

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_ROUNDS = 4


@compiled
def mix_bits(number: Any) -> Any:
    """Return 64 bits that look random, a bijection of the 64 bits given."""
    x = np.uint64(number)
    x ^= x >> np.uint64(30)
    x *= np.uint64(0xBF58476D1CE4E5B9)
    x ^= x >> np.uint64(27)
    x *= np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


@compiled
def random_bits(key: Any, position: Any) -> Any:
    """Return the position-th 64 random bits of a key."""
    return mix_bits(np.uint64(key) + (np.uint64(position) + np.uint64(1)) * _GOLDEN)


@compiled
def below(bits: Any, bound: int) -> Any:
    """Turn 64 random bits into an integer in [0, bound); bound < 2^32."""
    return np.int64(((np.uint64(bits) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))


@compiled
def half_bits_of(n: int) -> Any:
    """Return h, the smallest number with 2^(2h) >= n: the half block of the Feistel network."""
    half = np.int64(1)
    while (np.uint64(1) << np.uint64(2 * half)) < np.uint64(n):
        half += 1
    return half


@compiled
def permute(position: int, n: int, half_bits: int, key: Any) -> Any:
    """Return the element at a position of the key's random permutation of [0, n)."""
    half = np.uint64(half_bits)
    mask = (np.uint64(1) << half) - np.uint64(1)
    x = np.uint64(position)
    while True:
        left, right = x >> half, x & mask
        for step in range(_ROUNDS):
            left, right = right, left ^ (random_bits(key + right, step) & mask)
        x = (left << half) | right
        if x < np.uint64(n):
            return np.int64(x)

"""Candidates for negatives, drawn for each positive and level from the items its user has not seen, and their scores.

Nothing is gathered: a candidate's prefix is read in place. Drawing is exact and without rejection (`any_unseen`); the
bits are a hash of the positive's position, so every device draws the same.
"""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.counter_rng import random_bits
from nestrec.kernels.simd.lanes import prefetch
from nestrec.kernels.training.candidates import any_unseen

_LINE = 16  # float32 numbers in a cache line


@compiled
def score_candidates(
    user_vectors: Float32Array,  # (n_users, embedding_size) float32
    item_vectors: Float32Array,  # (n_items, embedding_size) float32
    indptr: Int64Array,  # (n_users + 1,) int64
    indices: Int32Array,  # (n_interactions,) int32, ascending per user
    users: Int64Array,  # (n_positives,) int64; none has seen every item
    widths: Int64Array,  # (n_levels,) int64: the prefix that scores a level's candidates
    key: int,  # uint64: the epoch's randomness
    first_position: int,  # of users[0] in the epoch's order
    start: int,
    stop: int,
    candidates: Int64Array,  # (n_positives, n_levels, n_candidates), filled in rows [start, stop)
    scores: Float32Array,  # the same shape, filled
) -> None:
    """Draw candidates and score them with the prefix of their level."""
    n_items, n_levels, n_candidates = len(item_vectors), candidates.shape[1], candidates.shape[2]
    flat = item_vectors.reshape(-1)
    size = item_vectors.shape[1]
    for row in range(start, stop):
        user = users[row]
        vector = user_vectors[user]
        low, high = indptr[user], indptr[user + 1]
        at = (first_position + row) * n_levels * n_candidates
        for level in range(n_levels):
            for m in range(n_candidates):
                item = any_unseen(indices, low, high, n_items, random_bits(key, at))
                at += 1
                candidates[row, level, m] = item
                for d in range(0, widths[level], _LINE):
                    prefetch(flat, item * size + d)
        for level in range(n_levels):
            width = widths[level]
            for m in range(n_candidates):
                other = item_vectors[candidates[row, level, m]]
                total = np.float32(0)
                for d in range(width):
                    total += vector[d] * other[d]
                scores[row, level, m] = total

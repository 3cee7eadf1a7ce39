"""Top-k of given rows of scores, for models whose scores are not inner products of vectors."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.selection import (
    LOWEST_KEY,
    LOWEST_SCORE,
    decode_score_bits,
    encode_key,
    keep_best,
    write_best,
)


@compiled
def rank_rows(
    scores: Float32Array,  # (n, n_items); overwritten where excluded
    indptr: Int64Array,  # (n + 1,)
    excluded: Int32Array,  # item_index that are not ranked for the row
    best: Int64Array,  # (n, k) out: keys, greatest first; entries without an item keep their value
) -> None:
    """Find the best k of each row, equal scores by item index; NaN and minus infinity are never among them."""
    n, n_items = scores.shape
    k = best.shape[1]
    bits = scores.view(np.int32)
    keys = np.empty(k + max(k, 64), dtype=np.int64)  # twice the best, so that a cut pays for as many offers again
    threshold = np.empty(1, dtype=np.float32)
    for row in range(n):
        for at in range(indptr[row], indptr[row + 1]):
            scores[row, excluded[at]] = -np.inf
        count, floor = 0, LOWEST_KEY
        threshold[0] = LOWEST_SCORE
        for item in range(n_items):
            if scores[row, item] >= threshold[0]:
                key = encode_key(bits[row, item], np.int32(item))
                keys[count] = key
                count += int(key >= floor)
                if count == len(keys):
                    count, floor = keep_best(keys, count, k, k // 16)
                    threshold.view(np.int32)[0] = decode_score_bits(floor)
        if count > k:
            count, _ = keep_best(keys, count, k, k // 16)
        write_best(keys[:count], best[row])

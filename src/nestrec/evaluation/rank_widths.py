"""Full ranking of every user at every width, for evaluation: items only, and vectors that cannot be ranked refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.selection import LOWEST_SCORE, items_of
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.batched_scan import Asked, Exclusions, StopCheck, Visited, by_falling_length, sweep

_ROWS = 4096  # whose lengths are taken at once


def rank_widths(
    user_embeddings: Float32Array,  # (n_users, >= widest) float32
    item_embeddings: Float32Array,  # (n_items, >= widest) float32
    widths: tuple[int, ...],  # ascending
    seen_indptr: Int64Array,  # (n_users + 1,)
    seen_indices: Int32Array,  # item_index that are not ranked for the user of the row
    user_index: npt.NDArray[np.integer],  # (n_ranked,) rows to rank for, in this order
    k: int,
    threads: int | None = None,  # None uses all processors
    check_stop: StopCheck | None = None,  # called now and then, by any thread; what it raises ends the ranking
) -> Int32Array:
    """Return the best k unseen items of each user at each width, best first, equal scores by item index.

    The result is (n_widths, n_ranked, k) int32 item_index, -1 where fewer than k items are left. Memory beyond it is
    bounded by a block of users per thread. Raises DataError where vectors are not finite or so long that a product
    would not be.
    """
    best = np.full((len(widths), len(user_index), k), -1, dtype=np.int32)
    if best.size == 0:
        return best
    lengths = _lengths(item_embeddings, np.arange(len(item_embeddings)), widths[-1])
    _check_lengths(_lengths(user_embeddings, user_index, widths[-1]), lengths)
    asked = Asked(user_embeddings, user_index, Exclusions(seen_indptr, seen_indices))
    visited = Visited(item_embeddings, by_falling_length(lengths))
    kept = min(k, len(item_embeddings))

    def take(block: slice, keys: Int64Array) -> None:
        best[:, block, :kept] = items_of(keys).transpose(1, 0, 2)

    sweep(asked, visited, widths, kept, take, threads=resolve_threads(threads), check_stop=check_stop)
    return best


def _lengths(vectors: Float32Array, rows: npt.NDArray[np.integer], widest: int) -> Float64Array:
    """Return the lengths of these rows' prefixes, in float64, where the square of no finite float32 overflows."""
    lengths = np.empty(len(rows), dtype=np.float64)
    for start in range(0, len(rows), _ROWS):
        some = vectors[rows[start : start + _ROWS], :widest].astype(np.float64)
        lengths[start : start + _ROWS] = np.sqrt(np.vecdot(some, some))
    return lengths


def _check_lengths(users: Float64Array, items: Float64Array) -> None:
    longest_user, longest_item = float(users.max()), float(items.max(initial=0.0))
    for side, longest in (("user", longest_user), ("item", longest_item)):
        if not np.isfinite(longest):
            raise DataError(f"a {side} vector holds a number that is not finite; nothing can be ranked by it")
    if longest_user * longest_item > -0.5 * float(LOWEST_SCORE):
        raise DataError(
            f"a user vector of length {longest_user:.3g} and an item vector of length {longest_item:.3g} have products "
            "beyond the range of 32-bit floats; scale the vectors down"
        )

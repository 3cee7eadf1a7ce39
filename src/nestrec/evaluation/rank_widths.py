"""Full ranking of every user at every width, for evaluation: items only, and vectors that cannot be ranked refused."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.selection import LOWEST_SCORE, items_of
from nestrec.norms import prefix_norms
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.exclusions import Exclusions
from nestrec.retrieval.width_scan import ScanItems, ScanQueries, StopCheck, order_by_norm, scan_widths


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
    item_norms = prefix_norms(item_embeddings, widths[-1])
    _check_norms(prefix_norms(user_embeddings, widths[-1], user_index), item_norms)
    queries = ScanQueries(user_embeddings, user_index, Exclusions(seen_indptr, seen_indices))
    items = ScanItems(item_embeddings, order_by_norm(item_norms))
    kept = min(k, len(item_embeddings))

    def take_keys(block: slice, keys: Int64Array) -> None:
        best[:, block, :kept] = items_of(keys).transpose(1, 0, 2)

    scan_widths(queries, items, widths, kept, take_keys, threads=resolve_threads(threads), check_stop=check_stop)
    return best


def _check_norms(users: Float64Array, items: Float64Array) -> None:
    longest_user, longest_item = float(users.max()), float(items.max(initial=0.0))
    for side, longest in (("user", longest_user), ("item", longest_item)):
        if not np.isfinite(longest):
            raise DataError(f"a {side} vector holds a number that is not finite; nothing can be ranked by it")
    if longest_user * longest_item > -0.5 * float(LOWEST_SCORE):
        raise DataError(
            f"a user vector of length {longest_user:.3g} and an item vector of length {longest_item:.3g} have products "
            "beyond the range of 32-bit floats; scale the vectors down"
        )

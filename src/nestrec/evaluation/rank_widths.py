"""Full ranking for users at every width, for evaluation, with a check that scores are finite."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Float64Array, Int32Array, Int64Array
from nestrec.errors import DataError
from nestrec.kernels.search.selection import LOWEST_SCORE, decode_items
from nestrec.norms import prefix_norms
from nestrec.parallel.threads import resolve_threads
from nestrec.retrieval.item_lists import ItemLists
from nestrec.retrieval.width_scan import ScanItems, ScanQueries, StopCheck, order_by_norm, scan_widths


def rank_widths(
    user_embeddings: Float32Array,  # (n_users, >= widest) float32
    item_embeddings: Float32Array,  # (n_items, >= widest) float32
    widths: tuple[int, ...],  # ascending
    seen_indptr: Int64Array,  # (n_users + 1,)
    seen_indices: Int32Array,  # item indices to mask for the user of the row
    user_index: npt.NDArray[np.integer],  # (n_ranked,) users to rank for, in this order
    k: int,
    threads: int | None = None,  # None uses all processors
    check_stop: StopCheck | None = None,  # called now and then, by any thread; what it raises ends the ranking
) -> Int32Array:
    """Return the top k unseen items of each user at each width, best first, ties by item index.

    The result is (n_widths, n_ranked, k) int32 item indices, padded with -1. Memory beyond it is bounded by a block of
    users per thread. Raises DataError if vectors, or their inner products, are not finite.
    """
    best = np.full((len(widths), len(user_index), k), -1, dtype=np.int32)
    if best.size == 0:
        return best
    item_norms = prefix_norms(item_embeddings, widths[-1])
    _check_norms(prefix_norms(user_embeddings, widths[-1], user_index), item_norms)
    queries = ScanQueries(user_embeddings, user_index, ItemLists(seen_indptr, seen_indices))
    items = ScanItems(item_embeddings, order_by_norm(item_norms))
    kept = min(k, len(item_embeddings))

    def take_keys(block: slice, keys: Int64Array) -> None:
        best[:, block, :kept] = decode_items(keys).transpose(1, 0, 2)

    scan_widths(queries, items, widths, kept, take_keys, threads=resolve_threads(threads), check_stop=check_stop)
    return best


def _check_norms(users: Float64Array, items: Float64Array) -> None:
    largest_user, largest_item = float(users.max()), float(items.max(initial=0.0))
    for side, largest in (("user", largest_user), ("item", largest_item)):
        if not np.isfinite(largest):
            raise DataError(f"{side} embeddings must be finite, got NaN or infinity; train again or fix the input")
    if largest_user * largest_item > -0.5 * float(LOWEST_SCORE):
        raise DataError(
            f"a user embedding with norm {largest_user:.3g} and an item embedding with norm {largest_item:.3g} have "
            "inner products beyond the range of float32; scale the embeddings down"
        )

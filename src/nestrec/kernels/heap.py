"""The k best (score, item) pairs seen so far, as a heap in two arrays whose root is the worst pair kept.

A pair is worse if its score is lower or, with equal scores, its item index is higher.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from nestrec.kernels.compiled import compiled

Indices = npt.NDArray[np.int32]


@compiled
def push(heap_items: Indices, heap_scores: npt.NDArray[np.float32], size: int, item: int, score: float) -> int:
    """Put one item into a heap, in place of the root if it is full; return its size."""
    if size == len(heap_items):
        _sink(heap_items, heap_scores, size, item, score)
        return size
    place = size
    while place > 0:
        parent = (place - 1) >> 1
        if not _worse(score, item, heap_scores[parent], heap_items[parent]):
            break
        heap_scores[place], heap_items[place] = heap_scores[parent], heap_items[parent]
        place = parent
    heap_scores[place], heap_items[place] = score, item
    return size + 1


@compiled
def _sink(heap_items: Indices, heap_scores: npt.NDArray[np.float32], size: int, item: int, score: float) -> None:
    """Replace the root of a heap and restore its order."""
    place = 0
    while True:
        child = 2 * place + 1
        if child >= size:
            break
        if child + 1 < size and _worse(
            heap_scores[child + 1], heap_items[child + 1], heap_scores[child], heap_items[child]
        ):
            child += 1
        if not _worse(heap_scores[child], heap_items[child], score, item):
            break
        heap_scores[place], heap_items[place] = heap_scores[child], heap_items[child]
        place = child
    heap_scores[place], heap_items[place] = score, item


@compiled
def _worse(score: float, item: int, other_score: float, other_item: int) -> bool:
    return score < other_score or (score == other_score and item > other_item)


@compiled
def sort_best(items: Indices, scores: npt.NDArray[np.float32], sizes: npt.NDArray[np.int64]) -> None:
    """Turn each heap into a list, best first: the root, the worst, goes to the end again and again."""
    for query in range(sizes.shape[0]):
        for level in range(sizes.shape[1]):
            heap_items, heap_scores = items[query, level], scores[query, level]
            for last in range(sizes[query, level] - 1, 0, -1):
                item, score = heap_items[last], heap_scores[last]
                heap_items[last], heap_scores[last] = heap_items[0], heap_scores[0]
                _sink(heap_items, heap_scores, last, item, score)

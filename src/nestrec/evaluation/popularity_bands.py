"""Accuracy by popularity of the held-out items: items in three bands, each with a third of the training interactions.

A list is the same as everywhere, over all unseen items; only the held-out items that count as relevant are those of one
band. A metric of a band is the mean over the warm test users with at least one test item in the band.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from nestrec.arrays import BoolArray, Float64Array, Int32Array, Int64Array
from nestrec.data.interactions import Interactions
from nestrec.evaluation.full_ranking import Lists
from nestrec.evaluation.held_out import HeldOut, match_ids
from nestrec.evaluation.metric_registry import AccuracyMetric, format_labels
from nestrec.evaluation.metrics import Hits, user_values

BANDS = ("head", "middle", "tail")

BandMeans = dict[str, dict[str, float]]  # band -> label -> mean over users


@dataclass(frozen=True)
class PopularityBand:
    """Items of similar popularity, with a third of the training interactions, and the test part they have."""

    name: str  # head, middle or tail
    items: int
    train_interactions: int
    test_interactions: int  # of warm users
    test_users: int  # warm users with test items in the band: the denominator of its means


def assign_bands(train: Interactions) -> Int64Array:
    """Return the band of each item, (n_items,), as an index into `BANDS`.

    Items in descending order of their training interactions, ties by item index: the head ends with the item that
    brings it to a third of the interactions, the middle with the one that brings both to two thirds.
    """
    counts = np.bincount(train.indices, minlength=train.n_items)
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    bands = np.empty(train.n_items, dtype=np.int64)
    bands[order] = len(BANDS) * before // max(1, train.n_interactions)
    return bands


def describe_bands(train: Interactions, test: Interactions) -> tuple[PopularityBand, ...]:
    """Return the sizes of the bands."""
    return measure_bands(train, match_ids(train.users, train.items, train, test)[0])


def measure_bands(train: Interactions, held: HeldOut) -> tuple[PopularityBand, ...]:
    """Return the sizes of the bands, with held-out interactions whose ids are matched."""
    bands = assign_bands(train)
    return tuple(
        PopularityBand(
            name=name,
            items=int(np.count_nonzero(bands == band)),
            train_interactions=int(np.count_nonzero(bands[train.indices] == band)),
            test_interactions=int(np.count_nonzero(bands[held.indices] == band)),
            test_users=int(np.count_nonzero(_count_relevant(held, bands == band))),
        )
        for band, name in enumerate(BANDS)
    )


class BandSums:
    """Sums of the metrics of each band at each width, over the users of a ranking as it goes by."""

    def __init__(
        self,
        n_widths: int,
        train: Interactions,
        held: HeldOut,
        metrics: Sequence[AccuracyMetric],
        cutoffs: Sequence[int],
    ) -> None:
        """Assign the items to bands."""
        self._held, self._cutoffs = held, cutoffs
        self._functions, self._labels = [metric.function for metric in metrics], format_labels(metrics, cutoffs)
        bands = assign_bands(train)
        self._in_band = [bands == band for band in range(len(BANDS))]
        self._n_users = np.array([np.count_nonzero(_count_relevant(held, in_band)) for in_band in self._in_band])
        self._sums: Float64Array = np.zeros((n_widths, len(BANDS), len(self._labels)))

    def watch(self, lists: Lists) -> Lists:
        """Yield the blocks of a ranking, and add up what is in them."""
        for block, by_width in lists:
            for (band, in_band), (level, ranked) in product(enumerate(self._in_band), enumerate(by_width)):
                hits = _find_hits(self._held, block, ranked, in_band)
                values = user_values(hits, self._functions, self._cutoffs)
                self._sums[level, band] += values.sum(axis=0, dtype=np.float64)
            yield block, by_width

    def means(self) -> list[BandMeans]:
        """Return the means of each width; a band without test items has no entry."""
        means = self._sums / np.maximum(self._n_users, 1)[:, np.newaxis]
        return [
            {
                name: dict(zip(self._labels, row.tolist(), strict=True))
                for name, row, n in zip(BANDS, level, self._n_users, strict=True)
                if n
            }
            for level in means
        ]


def _count_relevant(held: HeldOut, in_band: BoolArray) -> Int64Array:
    """Return the number of held-out items of each warm user in a band, given by item, (n_items,)."""
    counts = np.concatenate([[0], np.cumsum(in_band[held.indices])])
    result: Int64Array = np.diff(counts[held.indptr])
    return result


def _find_hits(held: HeldOut, block: slice, ranked: Int32Array, in_band: BoolArray) -> Hits:
    """Return the hits of a block's users in a band, without users who have no held-out item there."""
    starts = held.indptr[block.start : block.stop + 1]
    indices = held.indices[starts[0] : starts[-1]]
    kept = in_band[indices]
    n_relevant = np.diff(np.concatenate([[0], np.cumsum(kept)])[starts - starts[0]])
    counted = n_relevant > 0
    indptr = np.concatenate([[0], np.cumsum(n_relevant[counted])]).astype(np.int64)
    return Hits.of(np.ascontiguousarray(ranked[counted]), indptr, indices[kept], n_relevant[counted])

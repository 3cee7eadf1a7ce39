"""The planner: which sequence of widths, shortlists and storage answers a model's questions cheapest.

It builds screens of every width, in the model's own numbers and turned, in large catalogues with rows beside those of
up to half the width, and measures exact search and shortlists of growing size on half of the sampled users. Of the
plans whose recall against the full width reaches the target, those within a quarter, or a tenth of a millisecond, of
the lowest median time of a single question count as equally fast: another run would order them otherwise. Of them one
with a proof is taken, then the simplest (the full scan before any screen), then fewest bytes. The other half then says
what it is worth: recall on the users it was chosen with would flatter it. Where it misses the target there, plans that
found no more are given up and the choice is made again.

Whether many questions at once are better answered by the plan or by the full scan is measured too, and kept with it.
What it measures is this model on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from nestrec.autotune.trial import Sample
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.funnel import Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.request import checked_k
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig

_GROWTH = (1.25, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # shortlists, in k
_LONG = 8.0  # in k: a shortlist worth narrowing before the full width
_NARROWED = 3.0  # in k: to what
_NEARLY_ALL = 0.9999  # recall from which longer shortlists are of no use
_LARGE_PART = 4  # a shortlist of a quarter of the items is none
_AS_FAST = 1.25  # times the lowest time
_NO_SLOWER = 0.1  # milliseconds more than the lowest time: in small catalogues, what calls take and not what is read
_ROWS_FROM = 50_000  # items; vectors of fewer are near at hand
_BY_ROWS = 1.5  # in k: what goes on to the vectors from rows of the full width, which are off by little
_CLUSTERED_FROM = 50_000  # items
_PER_CLUSTER = 1_000

TrialCallback = Callable[[SearchConfig, int, int], None]


@dataclass(frozen=True, eq=False)
class AutotuneResult:
    """All plans that were measured, and the one that was chosen."""

    trials: tuple[SearchConfig, ...]  # with the measurements on the users that the choice is made with
    best: SearchConfig  # with the measurements on users that took no part in the choice
    target_recall: float
    model: NestedEmbeddings  # with the best search config; save it to keep that

    @property
    def frontier(self) -> tuple[SearchConfig, ...]:
        """The plans that no other one beats in recall and in median time, fastest first."""
        kept: list[SearchConfig] = []
        for plan in sorted(self.trials, key=_by_time):
            if not kept or _recall(plan) > _recall(kept[-1]):
                kept.append(plan)
        return tuple(kept)


def plan(
    model: NestedEmbeddings,
    recall: float = 0.99,
    k: int = 100,
    *,
    width: int | None = None,
    storages: tuple[Storage, ...] = (Storage.INT8, Storage.BF16),
    n_users: int = 400,
    seed: int = 0,
    threads: int | None = None,
    callback: TrialCallback | None = None,
) -> AutotuneResult:
    """Measure ways to find the best k items of a width and return the cheapest that reaches the recall.

    Args:
        model: what is asked.
        recall: share of the full scan's best k that must be found, on average over users; 1 takes exact plans alone.
        k: items per user.
        width: a trained width whose order counts; None is the widest.
        storages: how a screen's numbers may be kept.
        n_users: users drawn to measure with: half to choose with, half to see whether the choice holds.
        seed: of the draw.
        threads: None uses all processors.
        callback: called with each measured search config, the number of coarse indexes done, and their total.

    Raises OptionError for a recall that is not above 0 and at most 1, and for what does not fit.

    >>> import nestrec
    >>> world = nestrec.SyntheticData(n_users=60, n_items=200).generate(seed=0)
    >>> model = nestrec.Trainer(widths=(4, 8), epochs=3).fit(world.interactions, validation=None)
    >>> planning = nestrec.plan(model, recall=0.9, k=5, n_users=20)
    >>> planning.best.measurements.recall >= 0.9
    True
    >>> planning.model.search_config == planning.best
    True

    """
    if not 0.0 < recall <= 1.0:
        raise OptionError(f"recall={recall} cannot be reached or asks for nothing; give more than 0, at most 1")
    if n_users < 2 or not storages:
        raise OptionError(
            f"{n_users} users and {len(storages)} storages cannot be measured; give 2 users or more, half to choose a "
            "plan with and half to check it, and a storage"
        )
    size = model.embedding_size if width is None else model.widths.values[model.widths.level_of(width)]
    halves = Sample.halves(model, size, n_users, checked_k(k), seed, threads)
    planner = _Planner(model, size, *halves, recall, callback)
    return planner.run(tuple(_screens(model, size, storages)))


def _screens(model: NestedEmbeddings, width: int, storages: tuple[Storage, ...]) -> Iterator[CoarseIndexOptions]:
    """Yield the screens worth trying."""
    for held in model.widths.up_to(width):
        for storage in storages:
            yield CoarseIndexOptions(held, storage)
        if held < width or storages[0] is not Storage.FLOAT32:
            yield CoarseIndexOptions(held, storages[0], rotate=True)
        if model.n_items >= _ROWS_FROM and 2 * held <= width:
            yield CoarseIndexOptions(held, storages[0], refinement_width=width)
            yield CoarseIndexOptions(held, storages[0], rotate=True, refinement_width=width)
    if model.n_items >= _CLUSTERED_FROM:
        yield CoarseIndexOptions(width, storages[0], rotate=True, n_clusters=model.n_items // _PER_CLUSTER)


class _Planner:
    def __init__(
        self,
        model: NestedEmbeddings,
        width: int,
        sample: Sample,
        others: Sample,
        recall: float,
        callback: TrialCallback | None,
    ) -> None:
        self._model, self._width, self._recall = model, width, recall
        self._sample, self._others = sample, others
        self._callback = callback
        self._tried: list[SearchConfig] = []

    def run(self, screens: tuple[CoarseIndexOptions, ...]) -> AutotuneResult:
        """Try everything."""
        self._try(SearchConfig(self._width), None, 0, len(screens))
        for done, options in enumerate(screens, start=1):
            screen = self._built(options)
            self._try(SearchConfig(self._width, options), screen, done, len(screens))
            self._try_shortlists(options, screen, done, len(screens))
        chosen, walked = self._held([plan for plan in self._tried if self._reaches(plan)])
        return AutotuneResult(tuple(self._tried), chosen, self._recall, self._model.with_search_config(chosen, walked))

    def _held(self, reaching: list[SearchConfig]) -> tuple[SearchConfig, CoarseIndex | None]:
        """Return the cheapest plan that reaches the recall on the other users too, with its screen.

        The full scan is among the plans, so there is one.
        """
        chosen = _cheapest(reaching)
        screen = None if chosen.index is None else self._built(chosen.index)
        found = self._others.tried(chosen, self._model.item_embeddings, screen)
        if not self._reaches(found):
            return self._held([plan for plan in reaching if plan.exact or _recall(plan) > _recall(chosen)])
        return self._compared(found), screen

    def _compared(self, plan: SearchConfig) -> SearchConfig:
        """Return the plan with the full scan's rate beside its own."""
        if plan.index is None or plan.measurements is None:
            return plan
        scan = self._others.tried(SearchConfig(self._width), self._model.item_embeddings, None).measurements
        rate = 0.0 if scan is None else scan.users_per_second
        return plan.with_measurements(plan.k, replace(plan.measurements, full_scan_users_per_second=rate))

    def _try_shortlists(self, options: CoarseIndexOptions, screen: CoarseIndex, done: int, total: int) -> None:
        k = self._sample.k
        for growth in _GROWTH:
            shortlist = round(growth * k)
            if shortlist * _LARGE_PART > self._model.n_items:
                return
            rows = (Stage(options.refinement_width, round(_BY_ROWS * k) + 1),) if options.refinement_width else ()
            found = self._try(SearchConfig(self._width, options, shortlist, rows), screen, done, total)
            between = [width for width in self._model.widths if options.width < width < self._width]
            if growth >= _LONG and between and not rows and _recall(found) >= self._recall:
                stages = (Stage(between[len(between) // 2], round(_NARROWED * k)),)
                self._try(replace(found, stages=stages, measurements=None), screen, done, total)
            if _recall(found) >= max(self._recall, _NEARLY_ALL):
                return

    def _try(self, plan: SearchConfig, screen: CoarseIndex | None, done: int, total: int) -> SearchConfig:
        found = self._sample.tried(plan, self._model.item_embeddings, screen)
        self._tried.append(found)
        if self._callback is not None:
            self._callback(found, done, total)
        return found

    def _built(self, options: CoarseIndexOptions) -> CoarseIndex:
        return options.build(self._model.user_embeddings, self._model.item_embeddings, self._width)

    def _reaches(self, plan: SearchConfig) -> bool:
        return plan.exact or (self._recall < 1.0 and _recall(plan) >= self._recall)


def _cheapest(plans: list[SearchConfig]) -> SearchConfig:
    """Return the plan with a proof, then the simplest, then of fewest bytes, of those about as fast as the fastest."""
    fastest = min(map(_by_time, plans))
    as_fast = [plan for plan in plans if _by_time(plan) <= max(_AS_FAST * fastest, fastest + _NO_SLOWER)]
    return min(as_fast, key=lambda plan: (not plan.exact, _parts(plan), _bytes(plan), plan.name))


def _parts(plan: SearchConfig) -> int:
    """Return how many things stand between a question and the full scan."""
    if plan.index is None:
        return 0
    return (
        1 + len(plan.stages) + sum(map(bool, (plan.index.rotate, plan.index.n_clusters, plan.index.refinement_width)))
    )


def _recall(plan: SearchConfig) -> float:
    return plan.measurements.recall if plan.measurements is not None else 0.0


def _bytes(plan: SearchConfig) -> float:
    return plan.measurements.bytes_per_item if plan.measurements is not None else float("inf")


def _by_time(plan: SearchConfig) -> float:
    return plan.measurements.p50_ms if plan.measurements is not None else float("inf")

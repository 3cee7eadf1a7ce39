"""Choose the cheapest search config of a model that reaches a target recall, by measuring them on its users.

Coarse indexes of every width are built, plain and rotated, in large catalogues also with refinement codes for widths up
to half the full one; exact search and shortlists of growing size are measured on half of the sampled users. Of the
configs whose recall reaches the target, those within a quarter, or a tenth of a millisecond, of the lowest median
latency count as equally fast: another run would order them otherwise. Of these an exact one is taken, then the simplest
(the full scan before any index), then the smallest. The other half of the users then gives its recall without selection
bias; where that misses the target, configs that found no more are dropped and the choice is repeated.

Throughput of batches is measured beside that of the full scan. All measurements are of this model on this machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from nestrec.autotune.trial import Sample
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.progress import counting_bar
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.funnel import Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.request import check_k
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig
from nestrec.tabular import Tabular, Values

_GROWTH = (1.25, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)  # shortlists, in k
_LONG = 8.0  # in k: a shortlist worth a narrower stage before the full width
_NARROWED = 3.0  # in k: size after that stage
_NEARLY_ALL = 0.9999  # recall from which longer shortlists are of no use
_LARGE_PART = 4  # shortlists are smaller than a quarter of the items
_AS_FAST = 1.25  # times the lowest latency
_NO_SLOWER = 0.1  # milliseconds above the lowest: in small catalogues, what calls take and not what is read
_REFINED_FROM = 50_000  # items; fewer vectors fit into caches
_REFINED = 1.5  # in k: items reranked after refinement codes of the full width, whose errors are small
_CLUSTERED_FROM = 50_000  # items
_PER_CLUSTER = 1_000

TrialCallback = Callable[[SearchConfig, int, int], None]  # measured config, coarse indexes done, their total


@dataclass(frozen=True, eq=False, repr=False)
class AutotuneResult(Tabular):
    """All measured search configs, and the best."""

    trials: tuple[SearchConfig, ...]
    """With the measurements on the users that the choice is made with."""
    best: SearchConfig
    """With the measurements on users that took no part in the choice."""
    target_recall: float
    model: NestedEmbeddings
    """With the best search config; save it to keep that."""

    @property
    def frontier(self) -> tuple[SearchConfig, ...]:
        """The Pareto frontier: trials that no other beats in both recall and median latency, fastest first."""
        kept: list[SearchConfig] = []
        for trial in sorted(self.trials, key=lambda trial: trial.measured.p50_ms):
            if not kept or trial.measured.recall > kept[-1].measured.recall:
                kept.append(trial)
        return tuple(kept)

    def as_columns(self) -> Mapping[str, Values]:
        """Return a row per measured search config, with its measurements and whether it is on the frontier or best."""
        frontier = {id(trial) for trial in self.frontier}
        best = replace(self.best, k=0, measurements=None)
        rows = [
            {
                **_describe(trial),
                "frontier": id(trial) in frontier,
                "best": replace(trial, k=0, measurements=None) == best,
            }
            for trial in self.trials
        ]
        return {name: [row[name] for row in rows] for name in rows[0]}

    def __repr__(self) -> str:
        """Show the best config."""
        found = self.best.measured
        return (
            f"<AutotuneResult: {self.best.name}; recall {found.recall:.4f}, median {found.p50_ms:.3f} ms, best of "
            f"{len(self.trials)} search configs>"
        )


def _describe(trial: SearchConfig) -> dict[str, Any]:
    """Return a search config and its measurements as plain values; those of an index are None for the full scan."""
    index = trial.index
    return {
        "config": trial.name,
        "width": trial.width,
        "index_width": None if index is None else index.width,
        "storage": None if index is None else str(index.storage),
        "shortlist": None if index is None or trial.exact else trial.shortlist,
        "exact": trial.exact,
        "k": trial.k,
        **asdict(trial.measured),
    }


def plan(  # noqa: PLR0913 - options by keyword
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
    progress: bool = False,
) -> AutotuneResult:
    """Measure search configs for the best k items of a width and return the cheapest that reaches the recall.

    Args:
        model: the model to search.
        recall: target share of the full scan's best k, on average over users; 1 allows certified exact search only.
        k: items per user.
        width: a trained width to search at; None is the widest.
        storages: types of the codes of coarse indexes.
        n_users: users sampled to measure with: half for the choice, half to check it.
        seed: of the sample.
        threads: None uses all processors.
        callback: called with each measured search config, the number of coarse indexes done, and their total.
        progress: show a progress bar, on a terminal or in a notebook.

    Raises OptionError for a recall that is not above 0 and at most 1, and for other arguments that do not fit.

    >>> import nestrec
    >>> data = nestrec.SyntheticData(n_users=60, n_items=200).generate(seed=0)
    >>> model = nestrec.Trainer(widths=(4, 8), epochs=3).fit(data.interactions, validation=None)
    >>> result = nestrec.plan(model, recall=0.9, k=5, n_users=20)
    >>> result.best.measurements.recall >= 0.9
    True
    >>> result.model.search_config == result.best
    True

    """
    if not 0.0 < recall <= 1.0:
        raise OptionError(f"recall must be above 0 and at most 1, got {recall}", option="recall")
    if n_users < 2 or not storages:
        raise OptionError(
            f"n_users must be 2 or more, half to choose with and half to check, and storages at least one; got "
            f"{n_users} users and {len(storages)} storages",
            option="n_users",
        )
    size = model.embedding_size if width is None else model.widths.values[model.widths.level_of(width)]
    halves = Sample.draw_halves(model, size, n_users, check_k(k), seed, threads)
    with counting_bar("coarse indexes") if progress else nullcontext() as advance:

        def report(trial: SearchConfig, done: int, total: int) -> None:
            if advance is not None:
                advance(done, total)
            if callback is not None:
                callback(trial, done, total)

        return _Tuner(model, size, *halves, recall, report).run(tuple(_index_options(model, size, storages)))


def _index_options(model: NestedEmbeddings, width: int, storages: tuple[Storage, ...]) -> Iterator[CoarseIndexOptions]:
    """Yield the coarse indexes worth measuring."""
    for coarse in model.widths.up_to(width):
        for storage in storages:
            yield CoarseIndexOptions(coarse, storage)
        if coarse < width or storages[0] is not Storage.FLOAT32:
            yield CoarseIndexOptions(coarse, storages[0], rotate=True)
        if model.n_items >= _REFINED_FROM and 2 * coarse <= width:
            yield CoarseIndexOptions(coarse, storages[0], refinement_width=width)
            yield CoarseIndexOptions(coarse, storages[0], rotate=True, refinement_width=width)
    if model.n_items >= _CLUSTERED_FROM:
        yield CoarseIndexOptions(width, storages[0], rotate=True, n_clusters=model.n_items // _PER_CLUSTER)


@dataclass(eq=False)
class _Tuner:
    """Measures search configs and chooses one."""

    model: NestedEmbeddings
    width: int
    sample: Sample
    others: Sample
    recall: float
    callback: TrialCallback
    trials: list[SearchConfig] = field(default_factory=list)
    progress: tuple[int, int] = (0, 0)  # coarse indexes done, and their total

    def run(self, options: tuple[CoarseIndexOptions, ...]) -> AutotuneResult:
        """Measure the full scan and all indexes, and choose."""
        self.progress = 0, len(options)
        self._measure(SearchConfig(self.width), None)
        for done, one in enumerate(options, start=1):
            self.progress = done, len(options)
            index = self._build(one)
            self._measure(SearchConfig(self.width, one), index)
            self._measure_shortlists(one, index)
        best, index_of_best = self._choose([trial for trial in self.trials if self._reaches_target(trial)])
        model = self.model.with_search_config(best, index_of_best)
        return AutotuneResult(tuple(self.trials), best, self.recall, model)

    def _choose(self, reaching: list[SearchConfig]) -> tuple[SearchConfig, CoarseIndex | None]:
        """Return the cheapest config that reaches the recall on the other users too, with its index.

        The full scan is among the configs, so there is one.
        """
        cheapest = _choose_cheapest(reaching)
        index = None if cheapest.index is None else self._build(cheapest.index)
        checked = self.others.measure(cheapest, self.model.item_embeddings, index)
        if not self._reaches_target(checked):
            found = cheapest.measured.recall
            return self._choose([one for one in reaching if one.exact or one.measured.recall > found])
        return self._with_full_scan(checked), index

    def _with_full_scan(self, config: SearchConfig) -> SearchConfig:
        """Return the config with the full scan's throughput beside its own."""
        if config.index is None:
            return config
        scan = self.others.measure(SearchConfig(self.width), self.model.item_embeddings, None)
        rate = scan.measured.users_per_second
        return config.with_measurements(config.k, replace(config.measured, full_scan_users_per_second=rate))

    def _measure_shortlists(self, options: CoarseIndexOptions, index: CoarseIndex) -> None:
        k = self.sample.k
        for growth in _GROWTH:
            shortlist = round(growth * k)
            if shortlist * _LARGE_PART > self.model.n_items:
                return
            refined = (Stage(options.refinement_width, round(_REFINED * k) + 1),) if options.refinement_width else ()
            trial = self._measure(SearchConfig(self.width, options, shortlist, refined), index)
            between = [width for width in self.model.widths if options.width < width < self.width]
            if growth >= _LONG and between and not refined and trial.measured.recall >= self.recall:
                stages = (Stage(between[len(between) // 2], round(_NARROWED * k)),)
                self._measure(replace(trial, stages=stages, measurements=None), index)
            if trial.measured.recall >= max(self.recall, _NEARLY_ALL):
                return

    def _measure(self, config: SearchConfig, index: CoarseIndex | None) -> SearchConfig:
        trial = self.sample.measure(config, self.model.item_embeddings, index)
        self.trials.append(trial)
        self.callback(trial, *self.progress)
        return trial

    def _build(self, options: CoarseIndexOptions) -> CoarseIndex:
        return options.build(self.model.user_embeddings, self.model.item_embeddings, self.width)

    def _reaches_target(self, config: SearchConfig) -> bool:
        return config.exact or (self.recall < 1.0 and config.measured.recall >= self.recall)


def _choose_cheapest(trials: list[SearchConfig]) -> SearchConfig:
    """Return an exact config, then the simplest, then the smallest, of those about as fast as the fastest."""
    fastest = min(trial.measured.p50_ms for trial in trials)
    as_fast = [trial for trial in trials if trial.measured.p50_ms <= max(_AS_FAST * fastest, fastest + _NO_SLOWER)]
    return min(as_fast, key=lambda trial: (not trial.exact, _n_parts(trial), trial.measured.bytes_per_item, trial.name))


def _n_parts(config: SearchConfig) -> int:
    """Return how many parts a search has beyond the full scan."""
    index = config.index
    if index is None:
        return 0
    return 1 + len(config.stages) + sum(map(bool, (index.rotate, index.n_clusters, index.refinement_width)))

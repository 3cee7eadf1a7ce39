"""Walking a screen for a request: blocks of queries for threads, or one query's cells shared out among them."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event
from typing import NamedTuple

import numpy as np

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.search.coarse_scan import begin_above, screen_many, screen_one
from nestrec.kernels.search.code_blocks import SHELF, Barred, CodeBlocks
from nestrec.kernels.search.selection import LOWEST_KEY
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers, empty_buffers, room
from nestrec.parallel.slices import position_slices
from nestrec.parallel.threads import map_in_threads
from nestrec.retrieval.bounds import LEAST_SCORE, relative_error
from nestrec.retrieval.coarse_index import CoarseIndex
from nestrec.retrieval.request import Request
from nestrec.retrieval.top_k import Exclusions

FEW = 2 * GROUP  # up to so many queries are answered one by one
_BLOCK = 512  # queries a thread takes at once
_BUFFER_BYTES = 1 << 25  # per thread; fewer queries a block where many are kept
_WORTH_SHARING = 1 << 24  # codes: below, a second thread costs one query more than it saves
_SAMPLED = 16  # a shelf of so many is in the sample
_SURE = 3.0  # standard deviations by which the sample's threshold is lower than what an exact walk should keep
_SURE_OF_LEAST = 5.0  # the same of what may be returned: a block in which one query has less is walked again
_ABOUT = 1.0  # the same where a shortlist may fall a little short of its size, which saves a fifth of it and more
_NO_TAILS = np.zeros(0, dtype=np.float32)  # estimates have no use for them
_LEAST_SAMPLE = 32  # shelves
_PRODUCTS_AT_ONCE = 1 << 32  # of a call that walks shelves for many queries
_ALL = np.iinfo(np.int32).max


class Kept(NamedTuple):
    """What a screen keeps of some queries."""

    keys: Int64Array  # (n, room) bounds or estimates, and items
    counts: Int64Array  # (n,) how many of them
    floors: Int64Array  # (n,) no item left out has as great a key


class Walk(NamedTuple):
    """How a screen is walked."""

    n_kept: int  # items kept of each query, about
    exact: bool  # by upper bounds, not by estimates
    least: int  # items kept of each query at least, if so many may be returned
    share: float = 1.0  # of the shelves visited at most, best cells first


Finish = Callable[[slice, Kept], None]


def walked(screen: CoarseIndex, asked: Request, walk: Walk, finish: Finish, threads: int) -> int:
    """Screen every query and give what is kept to `finish`, some queries at a time; return how many pairs were scored.

    `finish` is called by several threads at once, for different queries.
    """
    allowed = screen.standing if asked.allowed is None else screen.words(asked.allowed)
    one_by_one = screen.cells.clustered or len(asked) <= FEW
    if one_by_one and len(asked) < threads and len(screen.shelves.codes) >= _WORTH_SHARING:
        return sum(_one(screen, asked, row, walk, allowed, finish, threads) for row in range(len(asked)))
    step, stopped = _step(len(asked), walk.n_kept, threads), Event()

    def answer(block: slice) -> int:
        if one_by_one:
            rows = (row for row in range(block.start, block.stop) if not stopped.is_set())
            return sum(_one(screen, asked, row, walk, allowed, finish, 1) for row in rows)
        return _many(screen, asked, block, walk, allowed, finish, stopped)

    blocks = [slice(start, min(start + step, len(asked))) for start in range(0, len(asked), step)]
    return sum(map_in_threads(answer, blocks, threads, stopped))


def _step(n_queries: int, n_kept: int, threads: int) -> int:
    evenly = -(-n_queries // threads)
    most = min(_BLOCK, max(GROUP, _BUFFER_BYTES // (8 * room(n_kept))))
    n_blocks = -(-evenly // most)  # a thread's share in equal parts, each of whole groups
    return max(1, -(-evenly // (n_blocks * GROUP)) * GROUP) if n_blocks else 1


def _shelves_at_once(screen: CoarseIndex, n_queries: int, every: int) -> int:
    """Return a number of shelves whose products with these queries take some tenths of a second."""
    of_a_shelf = n_queries * SHELF * screen.n_steps * screen.storage.per_step
    return max(1, _PRODUCTS_AT_ONCE // of_a_shelf) * every


def _many(
    screen: CoarseIndex, asked: Request, block: slice, walk: Walk, allowed: Int64Array, finish: Finish, stopped: Event
) -> int:
    some = asked.part(block)
    prepared = screen.asked(some.queries, exact=walk.exact, side_by_side=GROUP)
    barred, shelves = _barred(screen, some.excluded, len(some), allowed), _shelves(screen, walk)

    def screened(n_kept: int, buffers: Buffers, every: int = 1) -> int:
        n_found = 0
        for begin, end in position_slices(len(shelves.scales), _shelves_at_once(screen, len(some), every)):
            if stopped.is_set():
                break
            n_found += screen_many(
                prepared.codes, prepared.weights, shelves, screen.n_steps, screen.storage.per_step, barred, n_kept,
                buffers, begin + every // 2, end, every,
            )  # fmt: skip
        return n_found

    buffers, n_scored = _begun(screen, len(some), walk, lambda n, sample: screened(n, sample, _SAMPLED))
    n_scored += screened(walk.n_kept, buffers)
    if (buffers.counts[: len(some)] < walk.least).any():
        buffers = empty_buffers(len(some), 1, walk.n_kept)  # the sample misled, or little is left to return
        n_scored += screened(walk.n_kept, buffers)
    if stopped.is_set():
        return n_scored
    finish(block, Kept(buffers.keys[: len(some)], buffers.counts[: len(some)], buffers.floors[: len(some)]))
    return n_scored


def _shelves(screen: CoarseIndex, walk: Walk) -> CodeBlocks:
    return screen.shelves if walk.exact else screen.shelves._replace(tails=_NO_TAILS)


def _begun(
    screen: CoarseIndex, n_queries: int, walk: Walk, sampled: Callable[[int, Buffers], int]
) -> tuple[Buffers, int]:
    """Return buffers that refuse what a sample of the shelves shows to be too bad, and how many pairs that took.

    Without it, a buffer takes n ln(N / n) of N items on its way to the best n: most of them in vain.
    """
    buffers = empty_buffers(n_queries, 1, walk.n_kept)
    if len(screen.shelves.scales) < _LEAST_SAMPLE * _SAMPLED:
        return buffers, 0
    wanted, least = walk.n_kept / _SAMPLED, walk.least / _SAMPLED
    by_size = wanted + (_SURE if walk.exact else _ABOUT) * wanted**0.5
    n_best = int(max(by_size, least + _SURE_OF_LEAST * least**0.5)) + 1
    sample = empty_buffers(n_queries, 1, n_best)
    n_scored = sampled(n_best, sample)
    begin_above(sample, n_best, buffers)
    return buffers, n_scored


def _one(
    screen: CoarseIndex, asked: Request, row: int, walk: Walk, allowed: Int64Array, finish: Finish, threads: int
) -> int:
    some = asked.part(slice(row, row + 1))
    prepared = screen.asked(some.queries, exact=walk.exact, side_by_side=1)
    barred, shelves = _barred(screen, some.excluded, 1, allowed), _shelves(screen, walk)

    def visited(n_kept: int, buffers: Buffers, cells: _Visits) -> int:
        found: int = screen_one(
            prepared.codes, prepared.weights, shelves, screen.n_steps, screen.storage.per_step, barred, n_kept,
            buffers, *cells,
        )  # fmt: skip
        return found

    def all_visited(begun: Buffers) -> tuple[int, Kept]:
        parts = [(cells, _copied(begun)) for cells in _visits(screen, some, walk, threads)]
        n = sum(map_in_threads(lambda part: visited(walk.n_kept, part[1], part[0]), parts, threads))
        return n, _merged([buffers for _, buffers in parts])

    n_scored, begun = 0, empty_buffers(1, 1, walk.n_kept)
    if not screen.cells.clustered:
        begun, n_scored = _begun(screen, 1, walk, lambda n, sample: visited(n, sample, _sampled_visits(screen)))
    n_visited, kept = all_visited(begun)
    if kept.counts[0] < walk.least and begun.floors[0] != LOWEST_KEY:
        n, kept = all_visited(empty_buffers(1, 1, walk.n_kept))
        n_visited += n
    finish(slice(row, row + 1), kept)
    return n_scored + n_visited


def _copied(buffers: Buffers) -> Buffers:
    keys, counts, floors, thresholds, cursors = buffers
    return Buffers(keys.copy(), counts.copy(), floors.copy(), thresholds.copy(), cursors.copy())


class _Visits(NamedTuple):
    """Cells in the order of visiting."""

    begins: Int32Array
    ends: Int32Array
    bounds: Float32Array
    most: int  # shelves


def _visits(screen: CoarseIndex, asked: Request, walk: Walk, threads: int) -> list[_Visits]:
    """Return each thread's share of the cells, best first."""
    bounds = _cell_bounds(screen, asked)
    order = np.argsort(-bounds, kind="stable")
    most = _ALL if walk.share >= 1.0 else max(1, round(walk.share * len(screen.shelves.scales) / threads))
    shares = [order[first::threads] for first in range(threads)]
    cells = screen.cells
    return [_Visits(cells.begins[share], cells.ends[share], bounds[share], most) for share in shares]


def _sampled_visits(screen: CoarseIndex) -> _Visits:
    begins = np.arange(_SAMPLED // 2, len(screen.shelves.scales), _SAMPLED, dtype=np.int32)
    return _Visits(begins, begins + np.int32(1), np.full(len(begins), np.inf, dtype=np.float32), _ALL)


def _cell_bounds(screen: CoarseIndex, asked: Request) -> Float32Array:
    length = float(np.linalg.norm(asked.queries[0].astype(np.float64)))
    bounds = screen.cells.bounds(screen.rotate(asked.queries)[0], length)
    slack = 2.0 * relative_error(screen.full_width) * length * screen.cells.longest
    return (bounds + slack + LEAST_SCORE).astype(np.float32)


def _merged(parts: list[Buffers]) -> Kept:
    """Return what the threads kept of one query as one."""
    keys = np.concatenate([part.keys[0, : part.counts[0]] for part in parts])[np.newaxis]
    floors = np.array([max(part.floors[0] for part in parts)])
    return Kept(keys, np.array([keys.shape[1]]), floors)


def _barred(screen: CoarseIndex, excluded: Exclusions | None, n_queries: int, allowed: Int64Array) -> Barred:
    if excluded is None:
        return Barred(allowed, np.zeros(n_queries + 1, dtype=np.int64), np.zeros(0, dtype=np.int32))
    places = screen.places[excluded.indices]
    if n_queries == 1:
        return Barred(allowed, excluded.indptr, np.sort(places))
    rows = np.repeat(np.arange(n_queries), np.diff(excluded.indptr))
    return Barred(allowed, excluded.indptr, places[np.lexsort((places, rows))])

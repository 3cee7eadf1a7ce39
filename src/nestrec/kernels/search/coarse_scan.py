"""Screening: offer every item of the shelves to a query, by its bound or estimate, and keep the best.

Many queries: four of them and sixteen items at a time, whose sums stay in registers while the numbers are walked. One
query: a shelf of 64 items at a time, cell by cell. Nothing is written but what may be among the best. Excluded items
are looked for only where one of sixteen is good enough, by a cursor that walks the query's sorted list along with the
shelves.

Inner functions take single arrays, not the tuples: numba counts references to what it takes out of a tuple.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.search.code_blocks import SHELF, Barred, CodeBlocks, Weights
from nestrec.kernels.search.selection import keep_best, key_of, score_bits_of
from nestrec.kernels.search.top_k_buffers import GROUP, Buffers
from nestrec.kernels.simd.codes import add_product, any_reaching, as_floats, least_sums, load_codes, no_sum, splat_codes
from nestrec.kernels.simd.lanes import LANES, load, lowest_bit, multiply_add, reaching, splat, store

PART = 2 * LANES  # items scored together
_PART_BITS, _SHELF_BITS = 4, 6  # log2 of 16 and of 64
_SLACK, _TAIL = GROUP, 2 * GROUP  # where a group's terms begin, after its scales
_ROUNDINGS = 1e-6  # seventeen half units of float32's last place; a sum becomes a bound with three roundings

Codes = npt.NDArray[Any]


@compiled
def screen_many(
    queries: Codes,  # flat (n_groups, n_steps, GROUP, per_step); float32, or int16 beside int8 shelves
    weights: Weights,  # (n_groups * GROUP,) each
    shelves: CodeBlocks,
    n_steps: int,
    per_step: int,  # numbers of an item in a step
    barred: Barred,
    k: int,
    buffers: Buffers,  # of one width
    begin: int,  # first shelf to walk
    end: int,  # the one after the last
    every: int,  # 1: walk all of them; else a sample, this far apart
) -> int:
    """Offer every item that is not barred; return how many pairs of query and item were scored."""
    keys, counts, floors, thresholds, cursors = buffers
    codes, names, tails, scales, errors, reaches, lengths = shelves
    query_scales, query_tails, prefixes, rests, roundings, query_lengths, leasts = weights
    allowed, indptr, places = barred
    scores, terms = np.empty(GROUP * PART, dtype=np.float32), np.empty(3 * GROUP, dtype=np.float32)
    limits = np.empty(GROUP, dtype=np.float64)
    size, n_scored = n_steps * per_step, 0
    for shelf in range(begin, end, every):
        longest_tail = tails[shelf * SHELF : (shelf + 1) * SHELF].max() if len(tails) > 0 else np.float32(0.0)
        for first in range(0, len(thresholds), GROUP):
            if not _may_reach(query_lengths, leasts, first, lengths[shelf], thresholds):
                continue
            for user in range(GROUP):
                query = first + user
                terms[user] = query_scales[query] * scales[shelf]
                terms[_SLACK + user] = (
                    prefixes[query] * errors[shelf]
                    + rests[query] * reaches[shelf]
                    + roundings[query] * lengths[shelf]
                    + leasts[query]
                )
                terms[_TAIL + user] = query_tails[query]
                limits[user] = _least_sum(terms, user, thresholds[query], longest_tail)
            la, lb = least_sums(codes, limits[0]), least_sums(codes, limits[1])
            lc, le = least_sums(codes, limits[2]), least_sums(codes, limits[3])
            n_scored += GROUP * SHELF
            for place in range(shelf * SHELF, (shelf + 1) * SHELF, PART):
                item = (shelf * size * SHELF) + (place - shelf * SHELF) * per_step
                if not _score_part(queries, first * size, codes, item, n_steps, per_step, la, lb, lc, le, scores):
                    continue
                reached = _bound_part(scores, terms, tails, place, thresholds, first)
                if reached != 0:
                    _offer(
                        reached, _PART_BITS, scores, place, names, allowed, places, indptr, first, k, keys, counts,
                        floors, thresholds, cursors,
                    )  # fmt: skip
    return n_scored


@compiled
def begin_above(sample: Buffers, k: int, buffers: Buffers) -> None:
    """Let buffers refuse from the start what is worse than the k-th best of a sample."""
    keys, counts, _, _, _ = sample
    _, _, floors, thresholds, _ = buffers
    bits = thresholds.view(np.int32)
    for query in range(len(counts)):
        if counts[query] > k:
            _, floor = keep_best(keys[query], counts[query], k, 0)
            floors[query] = (floor >> 32) << 32
            bits[query] = score_bits_of(floor)


@compiled
def _may_reach(
    lengths: Float32Array, leasts: Float32Array, first: int, longest: float, thresholds: Float32Array
) -> bool:
    """Tell whether an item of this length could be good enough for one of four queries."""
    may = False
    for query in range(first, first + GROUP):
        may |= lengths[query] * longest + leasts[query] >= thresholds[query]
    return may


@compiled
def _least_sum(terms: Float32Array, user: int, threshold: float, longest_tail: Any) -> Any:
    """Return what sums of codes must reach for a bound to reach the threshold, or less: all roundings are allowed for.

    Most of 64 sums are refused by it in their registers, and never become bounds.
    """
    scale, slack = np.float64(terms[user]), np.float64(terms[_SLACK + user])
    tail = np.float64(terms[_TAIL + user]) * longest_tail
    return (threshold - slack - tail - _ROUNDINGS * (abs(threshold) + slack + tail)) / scale


@compiled
def _score_part(
    queries: Codes,
    query: int,  # offset of the group
    codes: Codes,
    item: int,  # offset of the first of 16
    n_steps: int,
    per_step: int,
    la: Any,  # what the sums of the first query must reach
    lb: Any,
    lc: Any,
    le: Any,
    scores: Float32Array,  # (GROUP, PART) overwritten where one of the sums does
) -> bool:
    """Sum the products of 16 items and 4 queries; return whether one of them reaches what it must."""
    a0, a1, b0, b1 = no_sum(codes), no_sum(codes), no_sum(codes), no_sum(codes)
    c0, c1, e0, e1 = no_sum(codes), no_sum(codes), no_sum(codes), no_sum(codes)
    half, stride = LANES * per_step, SHELF * per_step
    for _ in range(n_steps):
        low, high = load_codes(codes, item), load_codes(codes, item + half)
        of = splat_codes(queries, query)
        a0, a1 = add_product(of, low, a0), add_product(of, high, a1)
        of = splat_codes(queries, query + per_step)
        b0, b1 = add_product(of, low, b0), add_product(of, high, b1)
        of = splat_codes(queries, query + 2 * per_step)
        c0, c1 = add_product(of, low, c0), add_product(of, high, c1)
        of = splat_codes(queries, query + 3 * per_step)
        e0, e1 = add_product(of, low, e0), add_product(of, high, e1)
        item += stride
        query += GROUP * per_step
    reached = any_reaching(a0, a1, la) | any_reaching(b0, b1, lb)
    if not (reached | any_reaching(c0, c1, lc) | any_reaching(e0, e1, le)):
        return False
    store(scores, 0, as_floats(a0))
    store(scores, LANES, as_floats(a1))
    store(scores, 2 * LANES, as_floats(b0))
    store(scores, 3 * LANES, as_floats(b1))
    store(scores, 4 * LANES, as_floats(c0))
    store(scores, 5 * LANES, as_floats(c1))
    store(scores, 6 * LANES, as_floats(e0))
    store(scores, 7 * LANES, as_floats(e1))
    return True


@compiled
def _bound_part(
    scores: Float32Array,  # (GROUP, PART) sums; overwritten by bounds
    terms: Float32Array,  # (3, GROUP) factors of the sums, what is added, factors of the tails
    tails: Float32Array,
    place: int,  # of the first of 16
    thresholds: Float32Array,
    first: int,  # query
) -> Any:
    """Turn sums into bounds; return a bit for each, 1 where it reaches the query's threshold."""
    all_reached = 0
    for user in range(GROUP):
        scale, slack, least = splat(terms[user]), splat(terms[_SLACK + user]), splat(thresholds[first + user])
        low = multiply_add(load(scores, user * PART), scale, slack)
        high = multiply_add(load(scores, user * PART + LANES), scale, slack)
        if len(tails) > 0:
            tail = splat(terms[_TAIL + user])
            low = multiply_add(load(tails, place), tail, low)
            high = multiply_add(load(tails, place + LANES), tail, high)
        store(scores, user * PART, low)
        store(scores, user * PART + LANES, high)
        all_reached |= (reaching(low, least) | (reaching(high, least) << LANES)) << (user * PART)
    return all_reached


@compiled
def _offer(
    reached: int,  # bit i is 1 where scores[i] reaches the threshold of its query
    per_query: int,  # log2 of the bits of a query: 4, of four queries, or 6, of one
    scores: Float32Array,
    place: int,  # of the first item
    names: Int32Array,
    allowed: Any,
    places: Int32Array,
    indptr: Any,
    first: int,  # query
    k: int,
    keys: Int64Array,  # this and the next four: those of the buffers
    counts: Any,
    floors: Int64Array,
    thresholds: Float32Array,
    cursors: Any,
) -> None:
    """Put the items that are good enough and not barred into the buffers of their queries, and cut those that fill."""
    bits = scores.view(np.int32)
    while reached != 0:
        at = lowest_bit(reached)
        reached &= reached - 1
        query, item = first + (at >> per_query), place + (at & ((1 << per_query) - 1))
        if (allowed[item >> _SHELF_BITS] >> (item & (SHELF - 1))) & 1 == 0:
            continue
        cursor, end = indptr[query] + cursors[query], indptr[query + 1]
        while cursor < end and places[cursor] < item:
            cursor += 1
        cursors[query] = cursor - indptr[query]
        if cursor < end and places[cursor] == item:
            continue
        key, count = key_of(bits[at], names[item]), counts[query]
        if key < floors[query]:
            continue
        keys[query, count] = key
        counts[query] = count + 1
        if count + 1 == keys.shape[1]:
            counts[query], floors[query] = keep_best(keys[query], count + 1, k, k // 16)
            thresholds.view(np.int32)[query] = score_bits_of(floors[query])


@compiled
def screen_one(
    queries: Codes,  # flat (n_steps, per_step)
    weights: Weights,  # (1,) each
    shelves: CodeBlocks,
    n_steps: int,
    per_step: int,
    barred: Barred,  # of the one query
    k: int,
    buffers: Buffers,  # of one query
    begins: Int32Array,  # (n_cells,) first shelf of each cell to visit, in this order
    ends: Int32Array,  # (n_cells,) the shelf after its last
    bounds: Float32Array,  # (n_cells,) falling: no item of the cell has a score above it
    most: int,  # shelves to visit
) -> int:
    """Offer every item of the cells that is not barred, until no cell can hold one good enough; return items scored."""
    keys, counts, floors, thresholds, cursors = buffers
    codes, names, tails, scales, errors, reaches, lengths = shelves
    query_scales, query_tails, prefixes, rests, roundings, query_lengths, leasts = weights
    allowed, indptr, places = barred
    scores = np.empty(SHELF, dtype=np.float32)
    size, n_visited = n_steps * per_step, 0
    for cell in range(len(begins)):
        if bounds[cell] < thresholds[0] or n_visited >= most:
            break
        cursors[0] = np.searchsorted(places, begins[cell] * SHELF)
        for shelf in range(begins[cell], ends[cell]):
            if query_lengths[0] * lengths[shelf] + leasts[0] < thresholds[0]:
                continue
            n_visited += 1
            slack = prefixes[0] * errors[shelf] + rests[0] * reaches[shelf] + roundings[0] * lengths[shelf] + leasts[0]
            scale = query_scales[0] * scales[shelf]
            _score_shelf(queries, codes, shelf * size * SHELF, n_steps, per_step, scale, slack, scores)
            if len(tails) > 0:
                _add_tails(scores, tails, shelf * SHELF, query_tails[0])
            reached = _reached(scores, thresholds[0])
            if reached != 0:
                _offer(
                    reached, _SHELF_BITS, scores, shelf * SHELF, names, allowed, places, indptr, 0, k, keys, counts,
                    floors, thresholds, cursors,
                )  # fmt: skip
    return n_visited * SHELF


@compiled
def _score_shelf(
    queries: Codes, codes: Codes, item: int, n_steps: int, per_step: int, scale: float, slack: float, scores: Any
) -> None:
    """Score 64 items for one query, but for their tails."""
    a, b, c, d = no_sum(codes), no_sum(codes), no_sum(codes), no_sum(codes)
    e, f, g, h = no_sum(codes), no_sum(codes), no_sum(codes), no_sum(codes)
    eight = LANES * per_step
    for step in range(n_steps):
        of = splat_codes(queries, step * per_step)
        a, b = add_product(of, load_codes(codes, item), a), add_product(of, load_codes(codes, item + eight), b)
        c = add_product(of, load_codes(codes, item + 2 * eight), c)
        d = add_product(of, load_codes(codes, item + 3 * eight), d)
        e = add_product(of, load_codes(codes, item + 4 * eight), e)
        f = add_product(of, load_codes(codes, item + 5 * eight), f)
        g = add_product(of, load_codes(codes, item + 6 * eight), g)
        h = add_product(of, load_codes(codes, item + 7 * eight), h)
        item += SHELF * per_step
    by, rest = splat(np.float32(scale)), splat(np.float32(slack))
    store(scores, 0, multiply_add(as_floats(a), by, rest))
    store(scores, LANES, multiply_add(as_floats(b), by, rest))
    store(scores, 2 * LANES, multiply_add(as_floats(c), by, rest))
    store(scores, 3 * LANES, multiply_add(as_floats(d), by, rest))
    store(scores, 4 * LANES, multiply_add(as_floats(e), by, rest))
    store(scores, 5 * LANES, multiply_add(as_floats(f), by, rest))
    store(scores, 6 * LANES, multiply_add(as_floats(g), by, rest))
    store(scores, 7 * LANES, multiply_add(as_floats(h), by, rest))


@compiled
def _add_tails(scores: Float32Array, tails: Float32Array, place: int, tail: float) -> None:
    each = splat(tail)
    for at in range(0, SHELF, LANES):
        store(scores, at, multiply_add(load(tails, place + at), each, load(scores, at)))


@compiled
def _reached(scores: Float32Array, threshold: float) -> Any:
    least, reached = splat(threshold), 0
    for at in range(0, SHELF, LANES):
        reached |= reaching(load(scores, at), least) << at
    return reached

"""Fold users into a model: by the softmax with a compiled kernel, by least squares with NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from nestrec.arrays import Float32Array, Float64Array
from nestrec.fold_in.histories import Histories
from nestrec.fold_in.objective import QuadraticObjective, SoftmaxObjective
from nestrec.fold_in.pool import Pool
from nestrec.parallel.slices import row_slices
from nestrec.parallel.threads import map_in_threads, resolve_threads
from nestrec.widths import Widths

_ENTRIES = 1 << 14  # of a slice: some tenths of a second
_RIDGE = 0.1  # of the mean square of the first level's dimensions, summed over all rows
_STABLE = 1e-10  # of the trace, added so that dimensions without any values are no obstacle


def fold_in_by_softmax(
    objective: SoftmaxObjective,
    widths: Widths,
    items: Float32Array,  # (n_items, embedding_size)
    pool: Pool,
    small_pool: Pool,  # the same where a catalogue is small
    histories: Histories,
    threads: int | None,
) -> Float32Array:
    """Return the vector of each history, (n, embedding_size); zeros for an empty one."""
    from nestrec.kernels.fold_in.softmax_users import PoolArrays, fold_in_users

    vectors = np.zeros((len(histories), widths.embedding_size), dtype=np.float32)
    levels = np.array(widths.values, dtype=np.int64)
    large_pool = Pool.empty(widths.embedding_size) if small_pool is pool else pool
    small, large = (PoolArrays(each.columns, _log_each(each), each.n_unused) for each in (small_pool, large_pool))
    in_small, in_large = (each.places_of(histories.indices) for each in (small_pool, large_pool))

    def fold(rows: tuple[int, int]) -> None:
        first, last = rows
        entries = slice(histories.indptr[first], histories.indptr[last])
        fold_in_users(
            np.ascontiguousarray(items[histories.indices[entries]]),
            histories.weights[entries],
            histories.indptr[first : last + 1] - histories.indptr[first],
            small,
            in_small[entries],
            large,
            in_large[entries],
            levels,
            objective.inverse_temperatures,
            objective.l2_weights,
            vectors[first:last],
        )

    map_in_threads(fold, row_slices(histories.indptr, _ENTRIES), resolve_threads(threads))
    return vectors


def _log_each(pool: Pool) -> Float32Array:
    """Return the logarithms of the pool, filled up with zeros as its columns are."""
    log_each = np.zeros(pool.columns.shape[1], dtype=np.float32)
    log_each[: len(pool.rows)] = pool.log_each
    return log_each


class LeastSquares:
    """Weighted least squares against one side of a model, block by block (Hu, Koren and Volinsky 2008).

    The dimensions x that a level adds minimize, given the narrower ones,

        sum over the history of (w_i * a - 1) * (1 - s_i)^2 + (1 - 2 * s_i) + sum over all rows of s_j^2 + l2 * |x|^2

    that is: weight w_i * a and target 1 for the history, weight 1 and target 0 for all others.
    """

    def __init__(self, objective: QuadraticObjective, widths: Widths, table: Float32Array) -> None:
        """Compute the Gram matrix of the table, (n_rows, embedding_size)."""
        self.objective, self.widths, self.table = objective, widths, table
        self.gram = np.zeros((widths.embedding_size,) * 2)
        for start in range(0, len(table), 4_096):
            rows = table[start : start + 4_096].astype(np.float64)
            self.gram += rows.T @ rows
        first = widths.values[0]
        ridge = _RIDGE * float(self.gram[:first, :first].trace()) / first
        self.l2 = max(ridge if objective.l2 is None else objective.l2, 1e-12)

    def fold(self, histories: Histories, threads: int | None) -> Float32Array:
        """Return the vector of each history, (n, embedding_size); zeros for an empty one."""
        from nestrec.kernels.fold_in.least_squares import fold_in_least_squares

        vectors = np.zeros((len(histories), self.widths.embedding_size), dtype=np.float32)
        levels, factors = np.array(self.widths.values, dtype=np.int64), self._factors(histories.weights)

        def fold(rows: tuple[int, int]) -> None:
            first, last = rows
            entries = slice(histories.indptr[first], histories.indptr[last])
            fold_in_least_squares(
                np.ascontiguousarray(self.table[histories.indices[entries]]),
                factors[entries],
                histories.indptr[first : last + 1] - histories.indptr[first],
                self.gram,
                levels,
                self.l2,
                _STABLE,
                vectors[first:last],
            )

        map_in_threads(fold, row_slices(histories.indptr, _ENTRIES), resolve_threads(threads))
        return vectors

    def contributions(self, own: Float64Array, weights: Float64Array) -> Float64Array:
        """Return the part of the solution that each row of the history has, (n, embedding_size); they sum to it."""
        factors = self._factors(weights)
        matrix = self.gram + (own.T * (factors - 1)) @ own
        parts: Any = np.zeros_like(own)
        first = 0
        for last in self.widths.values:
            block = slice(first, last)
            system = matrix[block, block]
            system = system + (self.l2 + _STABLE * system.trace()) * np.eye(last - first)
            right = factors[:, None] * own[:, block] - parts[:, :first] @ matrix[:first, block]
            parts[:, block] = np.linalg.solve(system, right.T).T
            first = last
        result: Float64Array = parts
        return result

    def _factors(self, weights: Float64Array) -> Float64Array:
        """Return the weight of the squared error of each entry."""
        return np.maximum(weights * self.objective.observed_weight, 1.0)

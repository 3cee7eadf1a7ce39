"""One pass of nested sampled softmax over shuffled positives, updated in place.

For a positive (u, i) and each level l of width d_l, the loss is

    L_l = log(1 + sum over items j of exp(t_l * (score_l(u, j) - score_l(u, i)))) / t_l

over the items that u has not interacted with: the softmax over the whole catalogue; t_l is the level's inverse
temperature. The sum is estimated from a pool of items drawn uniformly (sampled softmax: Jean et al. 2015), which every
level scores by its own prefixes. The block of coordinates that level b adds to the one before it has the loss

    sum over levels l from b on of gradient_weights[b, l] * L_l

times the weight of the positive, plus L2 regularization: half of the squared coordinates of u, v_i and, by the share of
j in the sums, v_j, each with its own weight (`l2_weights`). If a level has the same weight for all blocks, that is one
nested loss; if it has less weight for the blocks of narrower levels, each block is trained for its own level first. The
update is that of `updates.py`.

For speed, POOL_BLOCK consecutive positives share a pool (`pool.py`) and form a mini-batch: all gradients of a block are
those at its start (`block_gradients.py`). Each row is then updated by each of its gradients in turn.

Threads that train slices of an epoch at the same time update tables without locks (hogwild: Niu et al. 2011), so that
their results differ from run to run; `deterministic_softmax.py` computes the same on any number of threads.
"""

from __future__ import annotations

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.kernels.compiled import compiled
from nestrec.kernels.training.block_gradients import (
    Gradients,
    Levels,
    Tables,
    aligned_zeros,
    compute_gradients,
    new_buffers,
    new_tables,
    padded_size,
)
from nestrec.kernels.training.block_rows import BlockRows, look_up_block, move_on, new_rows, order_block
from nestrec.kernels.training.block_steps import step_row, weight_decays
from nestrec.kernels.training.panels import Panels, lay_out_panels
from nestrec.kernels.training.tile_sizes import POOL_BLOCK


@compiled
def step_block(
    tables: Tables,
    rows: BlockRows,
    n_rows: int,
    panels: Panels,
    gradients: Gradients,
    decays: Float32Array,  # (padded,) scratch
    l2_weights: Float32Array,
    rate: float,
) -> None:
    """Update the rows of a block by its gradients, one after the other."""
    users, items, user_squares, item_squares, stride, size = tables
    padded, pool_size = len(decays), len(rows.pool)
    for row in range(n_rows):
        user, item, at = rows.users[row] * stride, rows.items[row] * stride, row * padded
        step_row(users, user_squares, user, gradients.users, at, l2_weights, size, rate)
        step_row(items, item_squares, item, gradients.positives, at, l2_weights, size, rate)
    for lane in range(pool_size):
        weight_decays(gradients.masses, lane, pool_size, panels, decays)
        step_row(items, item_squares, rows.pool[lane] * stride, gradients.pool, lane * padded, decays, size, rate)


@compiled
def train_slice(
    users: Float32Array,  # (n_users * stride,) float32, updated
    items: Float32Array,  # (n_items * stride,) float32, updated
    user_squares: Float32Array,  # (n_users * stride,) float32, sums of squared gradients, updated
    item_squares: Float32Array,  # (n_items * stride,) float32, updated
    indptr: Int64Array,  # (n_users + 1,) int64
    indices: Int32Array,  # (n_interactions,) int32, ascending per user
    user_of: Int32Array,  # (n_interactions,) int32
    weights: Float32Array,  # (n_interactions,) float32 with mean 1, or (0,) where all are 1
    widths: Int64Array,  # (n_levels,) int64
    level_weights: Float32Array,  # (n_levels,) float32, of the loss that is returned
    gradient_weights: Float32Array,  # (n_levels * n_levels,) float32, of level losses (columns) for blocks (rows)
    inverse_temperature: Float32Array,  # (n_levels,) float32
    stride: int,  # embedding size rounded up to a multiple of LANES
    pool_size: int,  # a multiple of TILE
    learning_rate: float,  # float32
    l2_weights: Float32Array,  # (stride,) float32, of the squared coordinates
    key: int,  # uint64: the epoch's randomness
    start: int,  # first position of the slice in the epoch's order, a multiple of POOL_BLOCK
    stop: int,
) -> tuple[float, int]:
    """Train on positions [start, stop) of the key's order; return (sum of losses, number of positives trained).

    A user who has interacted with every item has no negative; such positives are skipped.
    """
    n_levels, n_items = len(widths), len(items) // stride
    tables = new_tables(users, items, user_squares, item_squares, stride, widths[-1])
    padded = padded_size(tables.size)
    levels = Levels(widths, level_weights, gradient_weights, inverse_temperature)
    panels = lay_out_panels(widths, l2_weights)
    b = new_buffers(padded, pool_size, n_levels, len(panels.levels))
    gradients = Gradients(b.users, b.positives, aligned_zeros(pool_size * padded), aligned_zeros(n_levels * pool_size))
    rows = new_rows(pool_size)
    order_block(rows, start, stop, indices, user_of, weights, key)
    n_next = look_up_block(rows, start, stop, start + POOL_BLOCK, indptr, indices, user_of, weights, n_items, key)
    summed_loss, n_trained = 0.0, 0
    for block_start in range(start, stop, POOL_BLOCK):
        move_on(rows)
        n_rows = n_next
        following = block_start + POOL_BLOCK
        n_next = look_up_block(
            rows, following, stop, following + POOL_BLOCK, indptr, indices, user_of, weights, n_items, key
        )
        summed_loss = compute_gradients(
            tables, indptr, indices, levels, rows, n_rows, n_next, panels, b, gradients, summed_loss,
            len(weights) > 0, True,
        )  # fmt: skip
        step_block(tables, rows, n_rows, panels, gradients, b.decays, l2_weights, learning_rate)
        n_trained += n_rows
    return summed_loss, n_trained

"""The torch engine: a step per batch, with negatives chosen on the device and a nested loss under autograd.

A batch's vectors are gathered once and are the leaves of autograd; their gradients are summed by row afterwards, so no
batch allocates a tensor of the table's size, unless a graph is propagated or the optimizer updates every row. On CUDA
devices, fused kernels compute the gradients of the default loss and of pairs (`fused_loss.py`), and steps are replayed
as CUDA graphs where nothing but the device's memory changes between them (`device_steps.py`). All random numbers are
hashes of (seed, epoch, position), so a resumed run continues as if it had not stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from torch import nn

from nestrec.arrays import Float32Array, Int32Array, Int64Array
from nestrec.training.autograd import fused
from nestrec.training.autograd.config import EngineConfig
from nestrec.training.autograd.counter_rng import Draws, derive_key, random_bits
from nestrec.training.autograd.device_steps import DeviceSteps, EpochKeys, can_repeat
from nestrec.training.autograd.dislikes import DislikeGradients, Dislikes
from nestrec.training.autograd.fused_loss import fused_loss_for
from nestrec.training.autograd.level_tensors import LevelTensors
from nestrec.training.autograd.negatives import BatchMaker, Moment
from nestrec.training.autograd.nested_loss import Batch, BatchGradients, Leaves, NestedLoss
from nestrec.training.autograd.optimizer_steps import AdamSteps, Arrays, ModuleSteps, Rate, Steps, add_l2, steps_for
from nestrec.training.autograd.positives import Positives
from nestrec.training.autograd.scoring import drawing_for
from nestrec.training.losses import Negatives
from nestrec.training.objective import Objective, starting_values
from nestrec.training.samplers import ChoosingSampler
from nestrec.training.signals import Signals

_SLICE = 32_768  # positives between two checks of the clock on a GPU, which wait for the device
_FUSED_SLICE = 262_144  # the same where kernels are fused: some milliseconds
_CPU_SLICE = 8_192  # the same on a CPU, for `_USUAL` products per positive
_USUAL = 5 * 16 * 64  # levels times candidates times dimensions
_LARGE_TABLE = 1 << 24  # parameters; with more, every batch is a slice
_CANDIDATES, _ORDER = 2**32, 2**32 + 1  # keys derived from an epoch's; those of its draws count from 1


class AutogradEngine:
    """A nested loss over the CSR matrix of interactions."""

    def __init__(
        self,
        indptr: Int64Array,  # (n_users + 1,)
        indices: Int32Array,  # (n_interactions,) ascending per user
        n_items: int,
        objective: Objective,
        seed: int,
        threads: int,
        config: EngineConfig,
        *,
        signals: Signals = Signals(),  # noqa: B008 - a tuple
    ) -> None:
        self.objective, self.config, self.threads = objective, config, threads
        self._seed, self._device = seed, config.device
        self._n_users = len(indptr) - 1
        size = objective.widths.embedding_size
        users, items = (
            starting_values(objective, n, size, seed, side) for side, n in enumerate((self._n_users, n_items))
        )
        self._table = torch.from_numpy(np.concatenate([users, items])).to(config.device)
        self._encoder = config.backbone.encoder(indptr, indices, n_items, size, config.device)
        self._levels = LevelTensors(objective, config.device)
        self._set_positives(indptr, indices, n_items, signals.weights)
        self._dislikes = (
            Dislikes(self._levels, signals, indptr, indices, self.n_positives, config.device)
            if signals.n_dislikes
            else None
        )
        self._module = self._own_module(size)
        self._steps: Steps = steps_for(config.optimizer, self._table, config.batch_size)
        self._module_steps = None if self._module is None else ModuleSteps(self._module)
        self._order: tuple[int, torch.Tensor] | None = None
        drawing = drawing_for(indptr, indices, n_items, config.device, threads, mixed=config.mixed_precision)
        self._batches = BatchMaker(objective, config, self._module, drawing, self._n_users, n_items)
        whole, seen_lanes = objective.regularize_whole, drawing.seen_lanes
        self._loss = NestedLoss(
            self._levels, config.loss, config.sampler, self._module, n_items, seen_lanes, regularizes_whole=whole
        )
        is_on_gpu = fused.serves(config.device)
        if is_on_gpu:
            fused.check_batch(config.batch_size, max(objective.n_candidates, 2 * len(objective.widths.values) + 2))
        self._fused_loss = (
            fused_loss_for(self._levels, config, self._module, drawing, self._n_users, n_items, regularizes_whole=whole)
            if is_on_gpu and self._encoder.is_local
            else None
        )
        self._device_steps = (
            DeviceSteps(self._step, self._batches.update_all, self._positives, config.batch_size)
            if can_repeat(self._fused_loss, config.loss, config.sampler) and self._dislikes is None
            else None
        )

    @property
    def n_positives(self) -> int:
        """Positives in an epoch; if negatives are needed, without those of users who have seen every item."""
        return len(self._positives.users)

    @property
    def slice_size(self) -> int:
        """Positives to train between two checks of the clock: whole batches, on a CPU fewer if each is more work."""
        batch_size = self.config.batch_size
        if self._device.type != "cpu":
            return max(1, (_SLICE if self._fused_loss is None else _FUSED_SLICE) // batch_size) * batch_size
        if not self._encoder.is_local or self._table.numel() > _LARGE_TABLE:
            return batch_size
        n_levels, size = len(self.objective.widths), self.objective.widths.embedding_size
        work = max(_USUAL, n_levels * self.objective.n_candidates * size)
        return max(1, _CPU_SLICE * _USUAL // work // batch_size) * batch_size

    @property
    def user_embeddings(self) -> Float32Array:
        """(n_users, embedding_size), encoded; valid until the next call or step."""
        return self._encode()[: self._n_users]

    @property
    def item_embeddings(self) -> Float32Array:
        """(n_items, embedding_size), encoded; valid until the next call or step."""
        return self._encode()[self._n_users :]

    def use_levels(self, n: int) -> None:
        """Train the n narrowest levels from the next step on; dimensions of none of them keep their values."""
        self._levels.set(self.objective.first_levels(n))

    def train(self, epoch: int, start: int, stop: int, learning_rate: float) -> tuple[float, int]:
        """Train on positions [start, stop) of the epoch's order; return the sum of losses and the positives trained.

        `start` is a multiple of the batch size; the last batch may be smaller.
        """
        total = torch.zeros((), dtype=torch.float64, device=self._device)
        with torch_threads(1):  # of operations so small, more threads wait for each other longer than they work
            if self._device_steps is not None:
                keys = EpochKeys(self._key(epoch), derive_key(self._key(epoch), _CANDIDATES))
                order_of = partial(self._order_of, epoch)
                total = self._device_steps.train(order_of, epoch, keys, start, stop, learning_rate)
                return float(total), stop - start
            order = self._order_of(epoch)
            for first in range(start, stop, self.config.batch_size):
                rows = order[first : min(stop, first + self.config.batch_size)]
                moment = self._moment(epoch, first)
                total += len(rows) * self._step(self._positives.at(rows), moment, learning_rate)
        return float(total), stop - start

    def gradients(self, batch: Batch, draws: Draws | None = None) -> BatchGradients:
        """Return the mean loss of a batch, the gradients of its vectors, and the weights of their regularization."""
        return self._loss(batch, self._leaves(self._rows(batch), self._layers(draws)))

    def state(self) -> Arrays:
        """Return parameters and optimizer state by name."""
        parts = {"steps": self._steps, "module": self._module_steps}
        stored = [(of, part.state()) for of, part in parts.items() if part is not None]
        return {
            "table": self._table.cpu().numpy(),
            **{f"{of}.{name}": array for of, arrays in stored for name, array in arrays.items()},
        }

    def restore(self, state: Arrays) -> None:
        """Restore the result of `state`."""
        self._table.copy_(torch.tensor(state["table"]))
        self._steps.restore(_select("steps.", state))
        if self._module_steps is not None:
            self._module_steps.restore(_select("module.", state))
        self._batches.update_all()
        if self._device_steps is not None:
            self._device_steps.forget()

    def release(self, *, vectors: bool) -> None:
        """Free the optimizer state, and with `vectors` the embedding table."""
        if self._device_steps is not None:
            self._device_steps.release()
            self._device_steps = None
        if vectors:
            self._table = self._table.new_zeros((0, self._table.shape[1]))
        self._steps = steps_for(self.config.optimizer, self._table[:0].clone(), 1)
        self._batches.update_all()

    def _own_module(self, size: int) -> nn.Module | None:
        sampler = self.config.sampler
        if not isinstance(sampler, ChoosingSampler):
            return None
        with torch.random.fork_rng(devices=[]):  # layers are initialised from torch's global generator
            torch.manual_seed(self._seed)
            module = sampler.module(size)
        return None if module is None else module.to(self._device)

    def _set_positives(
        self, indptr: Int64Array, indices: Int32Array, n_items: int, weights: Float32Array | None
    ) -> None:
        sizes = np.diff(indptr)
        users = np.repeat(np.arange(self._n_users, dtype=np.int64), sizes)
        trained = np.full(len(users), fill_value=True)
        if self.config.loss.takes is not Negatives.NONE:
            trained = (sizes < n_items)[users]
        self._positives = Positives(
            torch.from_numpy(users[trained]).to(self._device),
            torch.from_numpy(indices[trained].astype(np.int64)).to(self._device),
            None if weights is None else torch.from_numpy(weights[trained]).to(self._device),
        )

    def _order_of(self, epoch: int) -> torch.Tensor:
        if self._order is None or self._order[0] != epoch:
            positions = torch.arange(self.n_positives, device=self._device)
            bits = random_bits(derive_key(self._key(epoch), _ORDER), positions)  # the same order on all devices
            self._order = epoch, bits.argsort()
        return self._order[1]

    def _key(self, epoch: int) -> int:
        return derive_key(self._seed, epoch)

    def _moment(self, epoch: int, first: int) -> Moment:
        key = self._key(epoch)
        return Moment(epoch, derive_key(key, _CANDIDATES), first, Draws(key, first, self._device))

    def _step(self, positives: Positives, moment: Moment, rate: Rate) -> torch.Tensor:
        layers = self._layers(moment.draws)
        batch = self._batches.batch(positives, layers.detach(), moment)
        rows = self._rows(batch)
        disliked = self._differentiate_dislikes(layers.detach(), moment, len(positives.users))
        if self._fused_loss is not None and batch.share_of_positive is None:
            loss, gradient = self._fused_loss(self._table, rows, positives.weights)
            self._step_rows(rows, gradient, rate, disliked)
            return _add_loss(loss, disliked)
        leaves = self._leaves(rows, layers.detach())
        result = self._loss(batch, leaves)
        if self._encoder.is_local:
            gradients = [gradient[0] for gradient in result.gradients]
            add_l2(gradients, [leaf.detach()[0] for leaf in leaves.all()], result.l2_weights, len(rows[0]))
            self._step_rows(rows, _concatenate(gradients), rate, disliked)
        else:
            self._step_graph(layers, rows, result, rate, disliked)
        if self._module_steps is not None:
            self._module_steps.step()
        return _add_loss(result.loss, disliked)

    def _differentiate_dislikes(self, layers: torch.Tensor, moment: Moment, n: int) -> DislikeGradients | None:
        """Return the gradients of the dislikes that belong to a batch of n positives, divided by n."""
        if self._dislikes is None:
            return None
        first = int(moment.first)
        found = self._dislikes.gradients(layers, self._key(moment.epoch), first, first + n)
        return DislikeGradients(found.loss / n, found.rows, [gradient / n for gradient in found.gradients])

    def _step_rows(
        self, rows: list[torch.Tensor], gradient: torch.Tensor, rate: Rate, disliked: DislikeGradients | None
    ) -> None:
        if disliked is not None:
            rows = [*rows, *disliked.rows]
            gradient = torch.cat([gradient, _concatenate(disliked.gradients)])
        nodes = torch.cat([row.flatten() for row in rows])
        self._steps.step_rows(nodes, gradient, rate)
        if isinstance(self._steps, AdamSteps):  # which updates every row
            self._batches.update_all()
        else:
            self._batches.update_rows(self._table, nodes)

    def _step_graph(
        self,
        layers: torch.Tensor,
        rows: list[torch.Tensor],
        result: BatchGradients,
        rate: Rate,
        disliked: DislikeGradients | None,
    ) -> None:
        of_layers = torch.zeros_like(layers)
        more = ([], []) if disliked is None else (disliked.rows, disliked.gradients)
        for row, gradient in zip([*rows, *more[0]], [*result.gradients, *more[1]], strict=True):
            for layer, of_layer in enumerate(of_layers):
                of_layer.index_add_(0, _of_layer(row, layer).flatten(), gradient[layer].flatten(0, -2))
        with torch_threads(self.threads):
            (of_table,) = torch.autograd.grad(layers, self._table, of_layers)
        self._table.requires_grad_(False)
        rows = [_of_layer(row, 0) for row in rows]
        vectors = [self._table[row] for row in rows]
        l2 = [torch.zeros_like(own) for own in vectors]
        add_l2(l2, vectors, result.l2_weights, len(rows[0]))
        of_table.index_add_(0, torch.cat([row.flatten() for row in rows]), _concatenate(l2))
        self._steps.step_all(of_table, rate)
        self._batches.update_all()

    def _layers(self, draws: Draws | None) -> torch.Tensor:
        """Return (n_layers, n_nodes, embedding_size), under autograd where there is a graph to propagate."""
        sampler = self.config.sampler
        per_layer = isinstance(sampler, ChoosingSampler) and sampler.per_layer
        if self._encoder.is_local:
            return self._table[None]
        self._table.requires_grad_(True)
        with torch_threads(self.threads):
            return self._encoder.layers(self._table, draws) if per_layer else self._encoder(self._table, draws)[None]

    def _rows(self, batch: Batch) -> list[torch.Tensor]:
        """Return the nodes of users, positives and negatives."""
        rows = [batch.users, batch.items + self._n_users]
        return rows if batch.negatives is None else [*rows, batch.negatives + self._n_users]

    def _leaves(self, rows: list[torch.Tensor], layers: torch.Tensor) -> Leaves:
        users, positives = layers[:, rows[0]], layers[:, rows[1]]
        negatives = None
        if len(rows) == 3:
            negatives = torch.stack([layer[_of_layer(rows[2], k)] for k, layer in enumerate(layers)])
        leaves = Leaves(users, positives, negatives)
        for leaf in leaves.all():
            leaf.requires_grad_(True)
        return leaves

    def _encode(self) -> Float32Array:
        with torch_threads(self.threads), torch.no_grad():
            encoded: Float32Array = self._encoder(self._table.detach(), None).cpu().numpy()
        return encoded


def _add_loss(loss: torch.Tensor, disliked: DislikeGradients | None) -> torch.Tensor:
    return loss if disliked is None else loss + disliked.loss


def _select(prefix: str, arrays: Arrays) -> Arrays:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


def _of_layer(rows: torch.Tensor, layer: int) -> torch.Tensor:
    """Return the rows of a layer: negatives (batch, n_pools, n_layers) of a sampler may differ by layer."""
    return rows[..., min(layer, rows.shape[-1] - 1)] if rows.dim() == 3 else rows


def _concatenate(gradients: list[torch.Tensor]) -> torch.Tensor:
    return torch.cat([gradient.reshape(-1, gradient.shape[-1]) for gradient in gradients])


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch use this many threads in the block."""
    previous = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(previous)

"""Embedding tables trained by minibatch gradients under autograd, for baselines whose loss is not one of `Trainer`.

Positives in random order, Adam with weight decay on both tables, and negatives in pools of one item of each equal range
of the catalogue, shared by neighbouring positives, as in the torch engine. The number of epochs is given, or chosen on
a validation part of 10%; then the model is trained again on all interactions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import normalize

from nestrec.arrays import Float32Array
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.errors import TrainingError
from nestrec.evaluation import evaluate_arrays
from nestrec.kernels.training.pool import MASKED_SCORE
from nestrec.kernels.training.tile_sizes import BLOCK
from nestrec.parallel.threads import resolve_threads
from nestrec.training.autograd.autograd_engine import torch_threads
from nestrec.training.autograd.levels import pooled_products
from nestrec.training.autograd.optimizer_steps import steps_for
from nestrec.training.autograd.scoring import Drawing, drawing_for
from nestrec.training.callbacks import PhaseStart
from nestrec.training.engines import TorchEngine
from nestrec.training.optimizers import Adam
from nestrec.training.options import Run
from nestrec.training.validation_part import carve

VALIDATION = RandomSplit(0.1)
MOST_EPOCHS = 300
_EVALUATE_EVERY, _PATIENCE = 5, 5  # epochs, evaluations without a better value
_LARGEST_BATCH = 2048  # by default
_STARTING_SCALE = 0.01  # standard deviation of the initial values


@dataclass(frozen=True, kw_only=True)
class Options:
    """Hyperparameters of the training."""

    width: int
    learning_rate: float
    weight_decay: float  # of the tables in every step
    batch_size: int
    n_negatives: int  # in a pool
    epochs: int | None  # None: chosen on the validation part
    cosine: bool = False  # whether scores are cosines; the embeddings then have length 1


@dataclass(frozen=True)
class Batch:
    """Positives with a pool of negatives for every `BLOCK` of them; vectors and scores are under autograd."""

    user_index: torch.Tensor  # (batch,)
    item_index: torch.Tensor  # (batch,)
    pools: torch.Tensor  # (n_blocks, n_negatives) item indices
    users: torch.Tensor  # (batch, width)
    items: torch.Tensor  # (batch, width)
    positives: torch.Tensor  # (batch,) scores
    negatives: torch.Tensor  # (batch, n_negatives) scores, of items that the user has seen -1e30
    item_vectors: Callable[[torch.Tensor], torch.Tensor]  # item indices -> their vectors

    @property
    def negative_index(self) -> torch.Tensor:
        """(batch, n_negatives): the items of the scores of negatives."""
        return self.pools.repeat_interleave(BLOCK, dim=0)[: len(self.user_index)]


BatchLoss = Callable[[Batch], torch.Tensor]  # -> (): mean over the positives
BuildLoss = Callable[[Interactions, torch.device], BatchLoss]
Embeddings = tuple[Float32Array, Float32Array]  # (n_users, width), (n_items, width)


def default_batch_size(interactions: Interactions) -> int:
    """Return that of the torch engine, at most 2048: a step costs little more than the products of its batch."""
    return min(_LARGEST_BATCH, TorchEngine().batch_size_for(interactions))


def device_of(run: Run) -> torch.device:
    """Return the device to train on: CUDA where there is any, unless the run is to be deterministic."""
    return torch.device(TorchEngine().check_device(deterministic=run.deterministic))


def fit_tables(interactions: Interactions, build_loss: BuildLoss, options: Options, run: Run) -> tuple[Embeddings, int]:
    """Train on all interactions; return the embeddings and the number of epochs.

    `build_loss` gives the loss for the interactions that are trained on, on a device. Raises TrainingError if it is not
    finite.
    """
    epochs = options.epochs
    with torch_threads(1):  # of operations so small, more threads wait for each other longer than they work
        if epochs is None:
            epochs = _choose_epochs(interactions, build_loss, options, run)
        run.callback_list.on_phase_start(PhaseStart("final", epochs, interactions.n_interactions, 0))
        training = _Training(interactions, build_loss(interactions, device_of(run)), options, run)
        for _ in range(epochs):
            training.train_epoch()
        return training.embeddings(), epochs


def _choose_epochs(interactions: Interactions, build_loss: BuildLoss, options: Options, run: Run) -> int:
    """Return the epoch with the best ndcg@20 on the validation part, at which training on all is to end."""
    train, held_out, _ = carve(VALIDATION, interactions)
    run.callback_list.on_phase_start(PhaseStart("search", MOST_EPOCHS, train.n_interactions, 0))
    training = _Training(train, build_loss(train, device_of(run)), options, run)
    best, chosen, waited = -1.0, _EVALUATE_EVERY, 0
    for epoch in range(1, MOST_EPOCHS + 1):
        training.train_epoch()
        if epoch % _EVALUATE_EVERY:
            continue
        value = _validate(training.embeddings(), train, held_out, run.threads)
        waited += 1
        if value > best:
            best, chosen, waited = value, epoch, 0
        if waited == _PATIENCE:
            break
    return chosen


def _validate(embeddings: Embeddings, train: Interactions, held_out: Interactions, threads: int | None) -> float:
    width = (embeddings[0].shape[1],)
    held = held_out.indptr, held_out.indices
    metrics = evaluate_arrays(
        *embeddings, width, train.indptr, train.indices, *held, metrics=("ndcg",), threads=threads
    )
    return metrics[0]["ndcg@20"]


class _Training:
    """The state of a training."""

    def __init__(self, interactions: Interactions, loss: BatchLoss, options: Options, run: Run) -> None:
        self._loss, self._options, self._run = loss, options, run
        self._n_items = interactions.n_items
        self._device = device_of(run)
        self._random = torch.Generator(self._device).manual_seed(run.seed)
        self._n_users, n_rows = interactions.n_users, interactions.n_users + interactions.n_items
        self._table = torch.randn((n_rows, options.width), generator=self._random, device=self._device)
        self._table.mul_(_STARTING_SCALE)
        self._gradient = torch.empty_like(self._table)
        self._gathered: list[tuple[torch.Tensor, torch.Tensor]] = []  # rows of the table and their vectors, of a batch
        self._steps = steps_for(Adam(), self._table, options.batch_size)
        n_of_user = np.diff(interactions.indptr)
        self._users = torch.from_numpy(np.repeat(np.arange(interactions.n_users), n_of_user)).to(self._device)
        self._items = torch.from_numpy(interactions.indices.astype(np.int64)).to(self._device)
        self._drawing: Drawing = drawing_for(
            interactions.indptr,
            interactions.indices,
            interactions.n_items,
            self._device,
            resolve_threads(run.threads),
            mixed=False,
        )

    def train_epoch(self) -> None:
        """Train on every interaction once."""
        total = torch.zeros((), device=self._device)
        order = torch.randperm(len(self._users), generator=self._random, device=self._device)
        for rows in torch.split(order, self._options.batch_size):
            self._gathered.clear()
            loss = self._loss(self._batch(self._users[rows], self._items[rows]))
            self._step(loss)
            total += loss.detach()
            self._run.callback_list.on_progress(len(rows))
        if not total.isfinite():
            rate = self._options.learning_rate
            raise TrainingError(f"the loss must be finite, got {float(total)}; lower learning_rate (it was {rate:g})")

    def _step(self, loss: torch.Tensor) -> None:
        torch.mul(self._table, self._options.weight_decay, out=self._gradient)
        gradients = torch.autograd.grad(loss, [vectors for _, vectors in self._gathered])
        for (rows, _), gradient in zip(self._gathered, gradients, strict=True):
            self._gradient.index_add_(0, rows.flatten(), gradient.flatten(0, -2))
        self._steps.step_all(self._gradient, self._options.learning_rate)

    def embeddings(self) -> Embeddings:
        """Return the embeddings of users and items."""
        embeddings = self._scaled(self._table).cpu().numpy()
        return embeddings[: self._n_users], embeddings[self._n_users :]

    def _batch(self, users: torch.Tensor, items: torch.Tensor) -> Batch:
        pools = self._draw_pools(-(-len(users) // BLOCK))
        seen = self._drawing.seen_lanes(users, pools, BLOCK)
        of_users, of_items, of_pools = (
            self._vectors(users),
            self._item_vectors(items),
            self._item_vectors(pools),
        )
        negatives = pooled_products(of_users, of_pools, (self._options.width,), BLOCK)[0]
        return Batch(
            user_index=users,
            item_index=items,
            pools=pools,
            users=of_users,
            items=of_items,
            positives=(of_users * of_items).sum(dim=-1),
            negatives=negatives.masked_fill(seen, float(MASKED_SCORE)),
            item_vectors=self._item_vectors,
        )

    def _draw_pools(self, n_blocks: int) -> torch.Tensor:
        n = self._options.n_negatives
        within = torch.randint(self._n_items, (n_blocks, n), generator=self._random, device=self._device)
        return (torch.arange(n, device=self._device) * self._n_items + within) // n

    def _item_vectors(self, items: torch.Tensor) -> torch.Tensor:
        return self._vectors(items + self._n_users)

    def _vectors(self, rows: torch.Tensor) -> torch.Tensor:
        """Return vectors of rows of the table, leaves of autograd: a gradient of the whole table would cost more."""
        vectors = self._table[rows].requires_grad_()
        self._gathered.append((rows, vectors))
        return self._scaled(vectors)

    def _scaled(self, vectors: torch.Tensor) -> torch.Tensor:
        return normalize(vectors, dim=-1) if self._options.cosine else vectors

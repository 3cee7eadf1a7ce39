"""`Trainer`: from interactions to embeddings that nest.

Two phases. `search` trains on part of the interactions, ranks the rest now and then, and finds the epoch with the best
metric averaged over the widths; in dense data a few short runs find the regularization first. `final` starts again from
the same values on all interactions and stops after that many epochs, so that no interaction is wasted on validation in
the model that ships.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from nestrec.arguments import check_count, check_fields, check_keywords, check_range
from nestrec.data.as_interactions import as_interactions
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit, Split
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, OptionError
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.training.backbones import MF, Backbone
from nestrec.training.engines import CPU_LEARNING_RATE, RunningEngine, TorchEngine, runs_on_cpu_engine, started
from nestrec.training.fit import Fit
from nestrec.training.losses import BPR, DirectAU, Loss, Negatives, PoolLoss, SampledSoftmax
from nestrec.training.objective import Objective
from nestrec.training.optimizers import Adam
from nestrec.training.options import Run, checked_level_weights
from nestrec.training.phase import Schedule
from nestrec.training.registry import CPU_ENGINE, resolve
from nestrec.training.resolve_validation import needs_times, resolve_validation
from nestrec.training.samplers import DynamicSampler, NoSampler, PoolSampler, Sampler
from nestrec.training.stop_request import StopRequest
from nestrec.widths import Widths

DEFAULT_WIDTHS = (4, 8, 16, 32, 64)

_PAIRS: dict[Negatives, tuple[Loss, Sampler]] = {
    Negatives.POOL: (SampledSoftmax(), PoolSampler()),
    Negatives.ONE: (BPR(), DynamicSampler()),
    Negatives.NONE: (DirectAU(), NoSampler()),
}


@check_fields
@dataclass(frozen=True)
class Trainer:
    """What model is wanted; `fit` trains it.

    >>> from nestrec import Trainer, SyntheticData
    >>> world = SyntheticData(n_users=200, n_items=160).generate(seed=1)
    >>> model = Trainer(widths=(2, 4, 8), epochs=3).fit(world.interactions)
    >>> model.widths, model.user_embeddings.shape
    (Widths(values=(2, 4, 8)), (200, 8))
    """

    widths: Widths | Iterable[int] | int = DEFAULT_WIDTHS
    """Prefix lengths that must each be a good recommender: ascending, unique, at most 1024."""
    level_weights: Sequence[float] | None = None
    """Share of each width in the loss, scaled to sum to 1; None: the l-th narrowest has l^(1/3)."""
    backbone: Backbone | str = MF()  # noqa: RUF009 - a frozen value
    """What turns trained numbers into vectors: nothing, or the graph of interactions; an object or a name (mf,
    lightgcn)."""
    loss: Loss | str | None = None
    """What a level minimises, an object or a name (softmax, bpr, bce, directau); None: what goes with the sampler,
    without one either a softmax over a pool."""
    sampler: Sampler | str | None = None
    """How negatives are chosen, an object or a name (pool, uniform, dynamic, adaptive, curriculum, mixed,
    disentangled); None: what goes with the loss."""
    engine: TorchEngine | str | None = None
    """The torch engine with its options, or a name (cpu, torch); None: the CPU engine where it can train this,
    otherwise torch as it comes."""
    epochs: int | None = None
    """Passes over the interactions, at most; the learning rate falls in a straight line over them. None: by density."""
    learning_rate: float | None = None
    """Size of the first steps; None: 0.2, for Adam 0.015."""
    final_learning_rate: float | None = None
    """Size of the steps of the last epoch; None: a tenth of the first ones."""
    regularization: float | None = None
    """Weight of the squared coordinates a positive touches; None: by the data's degrees and, where it is tuned, times
    what the validation part likes best."""
    tune_seconds: float | None = None
    """Trials of regularizations begin for so long; 0: none; None: all, in data with 20 and more interactions per user,
    where the rule is less sure, and none in sparser data."""
    rotate: bool = True
    """Rotate the embeddings by the SVD of the score matrix after training, so that every prefix is the best low-rank
    approximation of the full-width scores, which stay the same. Kept only if the validation metric improves."""
    regularize_whole: bool = False
    """Hold back the whole vectors of a positive and of each negative alike, as the paper does; the torch engine alone.
    Otherwise each coordinate by the share of the loss that holds it."""
    starting_scale: float | None = 0.0125
    """Standard deviation of the normal starting values; None: Xavier's uniform ones, as in the paper."""
    metric: str = "ndcg@20"
    """What chooses the epoch, averaged over the widths."""
    evaluate_every: int | None = None
    """Epochs between two rankings of the validation part; None: a twelfth of the epochs."""
    patience: int = 8
    """Rankings without one as good as the best before the search ends; late ones still rise, as the steps shrink."""

    def __post_init__(self) -> None:
        """Check every value once; raise OptionError with the rule and the way out."""
        widths = self.widths if isinstance(self.widths, Widths) else Widths(self.widths)
        object.__setattr__(self, "widths", widths)
        checked_level_weights(self.level_weights, widths)
        weights = None if self.level_weights is None else tuple(self.level_weights)
        object.__setattr__(self, "level_weights", weights)
        check_count("epochs", 1 if self.epochs is None else self.epochs, 100_000, 60)
        self._resolve_names()
        self._pair_loss_and_sampler()
        self._choose_engine()
        check_range("learning_rate", self._learning_rate(), 1e-6, 10, 0.2)
        check_range("final_learning_rate", self._final_learning_rate(), 0, 10, 0.02)
        if self.starting_scale is not None:
            check_range("starting_scale", self.starting_scale, 1e-6, 10, 0.0125)
        check_count("evaluate_every", 1 if self.evaluate_every is None else self.evaluate_every, 100_000, 5)
        check_count("patience", self.patience, 100_000, 8)
        check_range("tune_seconds", 0 if self.tune_seconds is None else self.tune_seconds, 0, 1e9, 60)
        if self.regularization is not None:
            check_range("regularization", self.regularization, 0, 100, 0.05)
            if self.tune_seconds:
                raise OptionError(
                    f"{self.tune_seconds:g} seconds of tuning mean nothing beside regularization {self.regularization},"
                    " which is what they would find; leave one of the two out"
                )
        MetricAtCutoff.parse(self.metric)

    @classmethod
    def paper(cls, **changes: Any) -> Trainer:
        """Return the setting of the paper's experiments (Lai et al. 2024), with what `changes` give instead.

        Matrix factorisation, widths 4 to 64 of equal weight, 16 candidates per level (8 on MovieLens 100K), BPR, dense
        Adam at 0.001 in batches of 2048, a regularization of 1e-4 on whole vectors, Xavier's starting values, at most
        300 epochs, one look in five. docs/how-to/training.md maps the arguments of the published program to these.

        >>> Trainer.paper(epochs=100).learning_rate
        0.001
        """
        widths = Widths(changes.get("widths", DEFAULT_WIDTHS))
        for kind in ("loss", "sampler"):
            if changes.get(kind) is not None:
                changes[kind] = resolve(kind, changes[kind])
        loss, sampler = changes.get("loss"), changes.get("sampler")
        pairs: dict[str, Any] = {}
        if (loss is None or loss.takes is Negatives.ONE) and (sampler is None or sampler.gives is Negatives.ONE):
            pairs = {"loss": BPR(), "sampler": DynamicSampler(n_candidates=16)}
        given: dict[str, Any] = {
            "level_weights": (1.0,) * len(widths),
            **pairs,
            "engine": TorchEngine(optimizer=Adam(), batch_size=2048),
            "epochs": 300,
            "learning_rate": 1e-3,
            "regularization": 1e-4,
            "regularize_whole": True,
            "rotate": False,
            "starting_scale": None,
            "metric": "recall@20",
            "evaluate_every": 5,
            "patience": 10,
            **changes,
        }
        return cls(**{"final_learning_rate": given["learning_rate"], **given})

    @check_keywords
    def fit(
        self,
        interactions: Interactions | object,
        *,
        validation: Split | Interactions | float | str | object | None = RandomSplit(0.1),  # noqa: B008 - frozen
        refit: bool = True,
        run: Run = Run(),  # noqa: B008 - a frozen value
    ) -> NestedEmbeddings:
        """Train on interactions and return the embeddings; `manifest["training"]` tells how it went.

        Args:
            interactions: who interacted with what: Interactions, or a path or table that `read_interactions` takes.
                Users and items without interactions get no vector: the model does not know them.
            validation: how to carve out the part that chooses the epoch: a split, the share to hold out at random, or a
                name (random, time, leave-last-out; of the first two, a tenth); or that part itself, as Interactions, a
                path or a table, which is then not trained on; or None to train all epochs unwatched. Users and items
                without training interactions take no part in choosing; a message and
                `manifest["training"]["validation"]` tell how many those are.
            refit: train again on all interactions for the epochs that a split's validation chose.
            run: seed, threads, checkpoint, callbacks.

        Interrupted (Ctrl-C, SIGTERM, SIGHUP) it writes the checkpoint and lets the interruption go on as it would have,
        Ctrl-C as KeyboardInterrupt; with `Run(return_on_interrupt=True)` it returns the best model so far and says so
        in the manifest. The checkpoint stays, also when training is done: delete it when the model is saved
        (`CheckpointFolder` does both).

        Raises DataError where the data hold nothing to learn from, TrainingError where the loss is not finite or the
        checkpoint is another run's.

        """
        if not isinstance(run, Run):
            raise OptionError(f"run must be a Run, as in Run(seed=1, threads=4); got {run!r}")
        split = resolve_validation(validation)
        interactions = drop_cold(as_interactions(interactions, keep_timestamps=needs_times(split)))
        check_learnable(interactions)
        with StopRequest() as stop, Fit(self, interactions, split, refit, run, stop) as fit:
            model = fit.result()
        if not run.return_on_interrupt:
            stop.deliver()
        return model

    def tunes(self, interactions: Interactions) -> bool:
        """Say whether regularizations are tried on the validation part before the search."""
        if self.regularization is not None:
            return False
        return self._loss.rules.is_unsure(interactions) if self.tune_seconds is None else self.tune_seconds > 0

    def objective(self, interactions: Interactions, multiple: float = 1.0) -> Objective:
        """Return the objective with what the data decide filled in: `multiple` times the rule's regularization."""
        assert isinstance(self.widths, Widths)
        loss, n_candidates, regularization = self._loss, self._sampler.n_candidates, self.regularization
        rules = loss.rules
        return Objective(
            self.widths,
            checked_level_weights(self.level_weights, self.widths),
            rules.candidates_for(interactions) if n_candidates is None else n_candidates,
            multiple * self._backbone.regularization_scale(interactions) * rules.regularization_for(interactions)
            if regularization is None
            else regularization,
            self.starting_scale,
            rules.share_power,
            rules.softmax,
            loss.coupling,
            loss.temperature,
            self.regularize_whole,
        )

    def start(self, interactions: Interactions, objective: Objective, run: Run) -> RunningEngine:
        """Return an engine at its starting values; raise MissingExtraError where torch is needed and missing."""
        parts = None
        if self.torch_engine is not None:
            parts = self.torch_engine.parts(
                self._backbone, self._sampler, self._loss, interactions, self.schedule(interactions).epochs, run
            )
        return started(interactions, objective, run, parts)

    @property
    def torch_engine(self) -> TorchEngine | None:
        """The torch engine; None where the CPU engine trains."""
        return cast("TorchEngine | None", self.engine)

    @property
    def _backbone(self) -> Backbone:
        return cast("Backbone", self.backbone)  # names became objects, and what was missing came, when it was made

    @property
    def _loss(self) -> Loss:
        return cast("Loss", self.loss)

    @property
    def _sampler(self) -> Sampler:
        return cast("Sampler", self.sampler)

    def engine_options(self, interactions: Interactions) -> dict[str, Any]:
        """Return the engine and its options by name, what the data decide filled in."""
        engine = self.torch_engine
        return {"engine": CPU_ENGINE} if engine is None else engine.chosen(self._backbone, interactions)

    def _resolve_names(self) -> None:
        """Let names and classes become objects; raise OptionError for what is neither."""
        for kind in ("backbone", "loss", "sampler", "engine"):
            value = getattr(self, kind)
            if value is not None and not (kind == "engine" and value == CPU_ENGINE):
                object.__setattr__(self, kind, resolve(kind, value))

    def _choose_engine(self) -> None:
        """Take the CPU engine where it can train this and no other is given, else torch's."""
        fits = not self.regularize_whole and runs_on_cpu_engine(self._backbone, self._sampler, self._loss)
        if self.engine == CPU_ENGINE and not fits:
            raise OptionError(
                "the cpu engine trains mf with the samplers pool, dynamic or uniform, each width its own negatives, "
                f"not {type(self.backbone).__name__} with {type(self.loss).__name__} and {type(self.sampler).__name__} "
                "as they were asked for; leave engine out, or give torch"
            )
        if self.engine == CPU_ENGINE:
            object.__setattr__(self, "engine", None)
        elif self.engine is None and not fits:
            object.__setattr__(self, "engine", TorchEngine())

    def _pair_loss_and_sampler(self) -> None:
        """Let the one that is missing be what goes with the other; raise OptionError where they do not fit."""
        takes = self._loss.takes if self.loss is not None else None
        gives = self._sampler.gives if self.sampler is not None else None
        wanted = takes or gives or Negatives.POOL
        if takes is not None and gives is not None and takes is not gives:
            raise OptionError(
                f"{type(self.loss).__name__} sets a positive against {takes.value}, "
                f"{type(self.sampler).__name__} gives {gives.value}; leave one of them out to have what goes with it"
            )
        if takes is Negatives.POOL and not isinstance(self.loss, PoolLoss):
            raise OptionError(
                f"{type(self.loss).__name__} takes a whole pool and does not say what each of it is worth; make it a "
                "subclass of nestrec.training.losses.PoolLoss"
            )
        loss, sampler = _PAIRS[wanted]
        object.__setattr__(self, "loss", self.loss or loss)
        object.__setattr__(self, "sampler", self.sampler or sampler)

    def _learning_rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        engine = self.torch_engine
        return CPU_LEARNING_RATE if engine is None else engine.optimizer_for(self._backbone).learning_rate

    def _final_learning_rate(self) -> float:
        return self._learning_rate() / 10 if self.final_learning_rate is None else self.final_learning_rate

    def schedule(self, interactions: Interactions) -> Schedule:
        """Return the schedule of a phase that runs all epochs."""
        epochs = self.epochs
        if epochs is None:
            epochs = self._loss.rules.epochs_for(interactions, moves_all=self._backbone.moves_all)
        every = max(1, epochs // 12) if self.evaluate_every is None else self.evaluate_every
        return Schedule(epochs, epochs, self._learning_rate(), self._final_learning_rate(), every, self.patience)


def check_learnable(interactions: Interactions) -> None:
    """Raise DataError where no positive has a negative to be ranked above."""
    n_items = interactions.n_items
    if interactions.n_interactions == 0:
        raise DataError("there are no interactions to train on; give a file with at least one")
    if n_items < 2:
        raise DataError(f"there is {n_items} item, so there is nothing to choose between; give at least 2 items")
    sizes = np.diff(interactions.indptr)
    if bool(np.all((sizes == 0) | (sizes >= n_items))):
        raise DataError(
            f"every user has interacted with all {n_items} items, so no item is left to be ranked lower; "
            "give data in which users have not seen everything, or raise the minimum rating"
        )

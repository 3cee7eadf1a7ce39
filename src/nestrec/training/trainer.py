"""`Trainer`: from interactions to nested embeddings.

Training has two phases. `search` trains on a part of the interactions, validates on the rest at regular intervals and
finds the epoch with the best metric averaged over the widths; if requested, a search for the regularization of each
level comes first. `final` trains from the same initial values on all interactions for that many epochs, so
that the model that ships has seen every interaction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from nestrec.arguments import check_count, check_fields, check_keywords, check_range
from nestrec.data.as_interactions import as_interactions
from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit, Split
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.evaluation.metric_registry import MetricAtCutoff
from nestrec.field_docs import show_field_docs
from nestrec.training.backbones import MF, Backbone
from nestrec.training.check_interactions import check_learnable
from nestrec.training.engines import TorchEngine
from nestrec.training.fit import Fit
from nestrec.training.losses import Loss, Negatives
from nestrec.training.method import choose_engine, pair_loss_and_sampler
from nestrec.training.objective import Objective, normalize_level_weights, normalize_regularization
from nestrec.training.options import Run
from nestrec.training.paper_settings import paper_settings
from nestrec.training.progress import show_training
from nestrec.training.registry import CPU_ENGINE, resolve
from nestrec.training.resolve_validation import needs_times, resolve_validation
from nestrec.training.samplers import Sampler
from nestrec.training.schedule import Schedule, check_level_starts
from nestrec.training.setup import TrainingSetup
from nestrec.training.stop_request import StopRequest
from nestrec.training.validation import prepare_validation
from nestrec.widths import Widths

DEFAULT_WIDTHS = (4, 8, 16, 32, 64)


@show_field_docs
@check_fields
@dataclass(frozen=True)
class Trainer:
    """Options of the model to train; `fit` trains it.

    >>> from nestrec import Trainer, SyntheticData
    >>> world = SyntheticData(n_users=200, n_items=160).generate(seed=1)
    >>> model = Trainer(widths=(2, 4, 8), epochs=3).fit(world.interactions)
    >>> model.widths, model.user_embeddings.shape
    (Widths(values=(2, 4, 8)), (200, 8))
    """

    widths: Widths | Iterable[int] | int = DEFAULT_WIDTHS
    """Prefix lengths to train: ascending, unique, at most 1024. The widest is the embedding size."""
    level_weights: Sequence[float] | None = None
    """Loss weight of each width, scaled to sum to 1. None: l^(1/3) for the l-th narrowest."""
    level_starts: Sequence[float] | None = None
    """Share of the epochs after which the training of each width starts, ascending from 0. None: with the softmax and
    mf 0, then 0.1, and 0.05 more for each wider one up to 0.25; otherwise 0 for all."""
    backbone: Backbone | str = MF()  # noqa: RUF009 - a frozen value
    """Encoder from parameters to embeddings, an object or a name (mf, lightgcn)."""
    loss: Loss | str | None = None
    """Loss of each width, an object or a name (softmax, bsl, bpr, bce, directau). None: the one that fits the sampler;
    without a sampler, softmax."""
    sampler: Sampler | str | None = None
    """Negative sampler, an object or a name (pool, uniform, dynamic, adaptive, curriculum, mixed, disentangled). None:
    the one that fits the loss."""
    engine: TorchEngine | str | None = None
    """Training engine, a `TorchEngine` or a name (cpu, torch). None: cpu if it can train this method, else torch."""
    epochs: int | None = None
    """Maximum number of epochs, over which the learning rate falls linearly. None: by the density of the data."""
    learning_rate: float | None = None
    """Learning rate of the first epoch. None: 0.3 for the softmax on the CPU engine, else 0.2, with Adam 0.015."""
    final_learning_rate: float | None = None
    """Learning rate of the last epoch. None: a tenth of the first."""
    regularization: float | Sequence[float] | None = None
    """L2 regularization: weight of the squared coordinates of the vectors that a positive touches; one number, or one
    per width for the coordinates that it adds to the narrower one. None: by the degrees of users and items and by
    the width."""
    tune_seconds: float = 0
    """Time limit for starting trials of a search for each width's regularization on the validation split, around the
    default. 0: no search."""
    rotate: bool = True
    """Rotate the embeddings by the SVD of the score matrix after training, so that every prefix is the best low-rank
    approximation of the full-width scores, which stay the same. Kept only if the validation metric improves."""
    regularize_whole: bool = False
    """Apply L2 regularization to the full user, positive and negative vectors, as in the paper (torch engine only).
    Otherwise each coordinate is regularized by the loss weight of the widths that contain it."""
    starting_scale: float | None = 0.0125
    """Standard deviation of the normal initial values. None: Xavier uniform, as in the paper."""
    metric: str = "ndcg@20"
    """Validation metric that chooses the epoch, averaged over the widths."""
    evaluate_every: int | None = None
    """Epochs between two evaluations on the validation split. None: an eighth of the epochs."""
    patience: int = 5
    """Evaluations without a value as good as the best after which training stops early."""

    def __post_init__(self) -> None:
        """Check every value; raise OptionError for one that breaks a rule."""
        widths = self.widths if isinstance(self.widths, Widths) else Widths(self.widths)
        object.__setattr__(self, "widths", widths)
        normalize_level_weights(self.level_weights, widths)
        weights = None if self.level_weights is None else tuple(self.level_weights)
        object.__setattr__(self, "level_weights", weights)
        if self.level_starts is not None:
            object.__setattr__(self, "level_starts", check_level_starts(self.level_starts, widths))
        check_count("epochs", 1 if self.epochs is None else self.epochs, 100_000, 60)
        self._resolve_method()
        check_range("learning_rate", self._learning_rate(), 1e-6, 10, 0.3)
        check_range("final_learning_rate", self._final_learning_rate(), 0, 10, 0.03)
        if self.starting_scale is not None:
            check_range("starting_scale", self.starting_scale, 1e-6, 10, 0.0125)
        check_count("evaluate_every", 1 if self.evaluate_every is None else self.evaluate_every, 100_000, 5)
        check_count("patience", self.patience, 100_000, 5)
        check_range("tune_seconds", self.tune_seconds, 0, 1e9, 60)
        if self.regularization is not None:
            weights = normalize_regularization(self.regularization, widths)
            if not isinstance(self.regularization, (int, float)):
                object.__setattr__(self, "regularization", weights)
            if self.tune_seconds:
                raise OptionError(
                    f"tune_seconds must be left out with a given regularization, got {self.tune_seconds:g} with "
                    f"regularization {self.regularization}",
                    option="tune_seconds",
                )
        MetricAtCutoff.parse(self.metric)

    @classmethod
    def paper(cls, **changes: Any) -> Trainer:
        """Return the settings of the paper's experiments (Lai et al. 2024), overridden by `changes`.

        Matrix factorization, widths 4 to 64 with equal weights, 16 candidates per level (8 on MovieLens 100K), BPR,
        dense Adam with learning rate 0.001 and batch size 2048, L2 regularization 1e-4 on full vectors, Xavier initial
        values, at most 300 epochs with one evaluation every 5. docs/reference/training.md maps the published arguments.

        >>> Trainer.paper(epochs=100).learning_rate
        0.001
        """
        return cls(**paper_settings(len(Widths(changes.get("widths", DEFAULT_WIDTHS))), changes))

    @check_keywords
    def fit(
        self,
        interactions: Interactions | object,
        *,
        validation: Split | Interactions | float | str | object | None = RandomSplit(0.1),  # noqa: B008 - frozen
        refit: bool = True,
        run: Run = Run(),  # noqa: B008 - a frozen value
        progress: bool = False,
    ) -> NestedEmbeddings:
        """Train on interactions and return the embeddings; `manifest["training"]` describes the run.

        Args:
            interactions: Interactions, or a path or table that `read_interactions` takes. Users and items without
                interactions get no vector.
            validation: how to hold out the validation part that chooses the epoch: a split, the fraction of a random
                split, or a name (random, time, leave-last-out; of the first two, a tenth); or held-out interactions,
                as Interactions, a path or a table, which are not trained on; or None to train all epochs without
                validation. Users and items without training interactions are left out of the validation metrics; a
                message and `manifest["training"]["validation"]` say how many.
            refit: train again on all interactions for the number of epochs that a split's validation chose.
            run: seed, threads, checkpoint, callbacks.
            progress: show a progress bar, on a terminal or in a notebook.

        An interruption (Ctrl-C, SIGTERM, SIGHUP) writes the checkpoint and then takes effect, Ctrl-C as
        KeyboardInterrupt; with `Run(return_on_interrupt=True)` the best model so far is returned instead and its
        manifest says so. The checkpoint stays after training: delete it once the model is saved (`CheckpointFolder`
        does both).

        Raises DataError if there is nothing to learn from, TrainingError if the loss is not finite or the checkpoint
        belongs to another run.

        """
        if not isinstance(run, Run):
            raise OptionError(f"run must be a Run, as in Run(seed=1, threads=4); got {run!r}")
        split = resolve_validation(validation)
        interactions = drop_cold(as_interactions(interactions, keep_timestamps=needs_times(split)))
        check_learnable(interactions)
        with StopRequest() as stop, show_training(self.metric, show=progress) as bars:
            run = run.plus(bars)
            setup = self.resolve(interactions)
            _check_dislikes(interactions, setup.loss)
            part = None if split is None else prepare_validation(split, interactions, self.resolve, run)
            with Fit(setup, part, refit=refit, run=run, stop=stop) as fit:
                model = fit.train()
        if not run.return_on_interrupt:
            stop.deliver()
        return model

    def resolve(self, interactions: Interactions) -> TrainingSetup:
        """Return what is trained on these interactions, with data-dependent defaults filled in.

        >>> from nestrec import SyntheticData
        >>> setup = Trainer().resolve(SyntheticData(n_users=200, n_items=160).generate(seed=1).interactions)
        >>> setup.loss, setup.schedule.epochs
        (SampledSoftmax(temperature=None, coupling=0.2), 40)
        """
        widths, backbone = cast("Widths", self.widths), cast("Backbone", self.backbone)
        loss, sampler = cast("Loss", self.loss), cast("Sampler", self.sampler)
        rules, default, regularization = loss.data_defaults, None, self.regularization
        if regularization is None:
            scale = backbone.regularization_scale(interactions)
            of_blocks = rules.regularization_for(interactions, widths.values)
            regularization = default = tuple(scale * weight for weight in of_blocks)
        epochs = self.epochs
        if epochs is None:
            epochs = rules.epochs_for(interactions, moves_all=backbone.moves_all)
        starts = self.level_starts
        if starts is None:
            starts = rules.level_starts_for(len(widths), moves_all=backbone.moves_all)
        n_candidates = sampler.n_candidates
        return TrainingSetup(
            interactions=interactions,
            backbone=backbone,
            loss=loss,
            sampler=sampler,
            engine=cast("TorchEngine | None", self.engine),
            objective=Objective(
                widths=widths,
                level_weights=normalize_level_weights(self.level_weights, widths),
                n_candidates=rules.candidates_for(interactions) if n_candidates is None else n_candidates,
                regularization=normalize_regularization(regularization, widths),
                starting_scale=self.starting_scale,
                l2_power=rules.l2_power,
                softmax=rules.softmax,
                coupling=loss.coupling,
                temperature=loss.temperature,
                regularize_whole=self.regularize_whole,
            ),
            regularization_default=default,
            schedule=Schedule(
                epochs=epochs,
                stop_after=epochs,
                learning_rate=self._learning_rate(),
                final_learning_rate=self._final_learning_rate(),
                evaluate_every=math.ceil(epochs / 8) if self.evaluate_every is None else self.evaluate_every,
                patience=self.patience,
                level_starts=tuple(starts),
            ),
            metric=MetricAtCutoff.parse(self.metric),
            tune_seconds=self.tune_seconds,
            rotate=self.rotate,
        )

    def _resolve_method(self) -> None:
        """Replace names and classes by objects, and what is missing by what fits; raise OptionError if nothing does."""
        for kind in ("backbone", "loss", "sampler", "engine"):
            value = getattr(self, kind)
            if value is not None and not (kind == "engine" and value == CPU_ENGINE):
                object.__setattr__(self, kind, resolve(kind, value))
        loss, sampler = pair_loss_and_sampler(cast("Loss | None", self.loss), cast("Sampler | None", self.sampler))
        object.__setattr__(self, "loss", loss)
        object.__setattr__(self, "sampler", sampler)
        backbone, whole = cast("Backbone", self.backbone), self.regularize_whole
        object.__setattr__(self, "engine", choose_engine(self.engine, backbone, loss, sampler, regularize_whole=whole))

    def _learning_rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        if self.engine is None:
            return cast("Loss", self.loss).data_defaults.cpu_learning_rate
        return cast("TorchEngine", self.engine).optimizer_for(cast("Backbone", self.backbone)).learning_rate

    def _final_learning_rate(self) -> float:
        return self._learning_rate() / 10 if self.final_learning_rate is None else self.final_learning_rate


def _check_dislikes(interactions: Interactions, loss: Loss) -> None:
    """Raise OptionError for dislikes with a loss that compares no items."""
    if interactions.dislikes is not None and loss.takes is Negatives.NONE:
        raise OptionError(
            f"loss must be one with negatives for interactions with dislikes, got {loss!r}; choose another, such as "
            "softmax, or read the interactions without dislike_below",
            option="loss",
        )

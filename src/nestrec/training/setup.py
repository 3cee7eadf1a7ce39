"""What a phase trains: a trainer's options with every default resolved for the phase's interactions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from nestrec.data.interactions import Interactions
from nestrec.parallel.threads import resolve_threads
from nestrec.training.backbones import Backbone
from nestrec.training.cpu_engine import CpuEngine
from nestrec.training.engines import RunningEngine, TorchEngine
from nestrec.training.losses import Loss
from nestrec.training.objective import Objective
from nestrec.training.options import Run
from nestrec.training.samplers import Sampler
from nestrec.training.schedule import Schedule
from nestrec.training.signals import Signals

if TYPE_CHECKING:
    from nestrec.evaluation.metric_registry import MetricAtCutoff


@dataclass(frozen=True, eq=False)
class TrainingSetup:
    """Interactions with everything that is decided for them; made by `Trainer.resolve`."""

    interactions: Interactions
    backbone: Backbone
    loss: Loss
    sampler: Sampler
    engine: TorchEngine | None  # None: the CPU engine
    objective: Objective
    regularization_default: tuple[float, ...] | None  # data-dependent, of each level; None: given
    schedule: Schedule
    metric: MetricAtCutoff  # that chooses the epoch, averaged over the widths
    tune_seconds: float  # time limit of the search for the regularization on the validation split; 0: no search
    rotate: bool

    def scale_regularization(self, multiples: Sequence[float]) -> TrainingSetup:
        """Return the setup with each level's multiple of its default regularization; itself if one was given."""
        if self.regularization_default is None:
            return self
        scaled = tuple(
            multiple * default for multiple, default in zip(multiples, self.regularization_default, strict=True)
        )
        return replace(self, objective=replace(self.objective, regularization=scaled))

    def start_engine(self, run: Run) -> RunningEngine:
        """Return an engine with initial parameters; raise MissingExtraError if torch is needed and missing."""
        threads = resolve_threads(run.threads)
        csr = self.interactions.indptr, self.interactions.indices, self.interactions.n_items
        signals = Signals.of(self.interactions)
        if self.engine is None:
            deterministic = run.deterministic
            return CpuEngine(
                *csr,
                objective=self.objective,
                seed=run.seed,
                threads=threads,
                deterministic=deterministic,
                signals=signals,
            )
        threads = 1 if run.deterministic else threads
        device = self.engine.check_device(deterministic=run.deterministic)
        import torch

        from nestrec.training.autograd.autograd_engine import AutogradEngine
        from nestrec.training.autograd.config import EngineConfig

        config = EngineConfig(
            backbone=self.backbone,
            sampler=self.sampler,
            loss=self.loss,
            optimizer=self.engine.optimizer_for(self.backbone),
            batch_size=self.engine.batch_size_for(self.interactions),
            device=torch.device(device),
            mixed_precision=self.engine.mixed_precision,
            epochs=self.schedule.epochs,
        )
        return AutogradEngine(
            *csr, objective=self.objective, seed=run.seed, threads=threads, config=config, signals=signals
        )

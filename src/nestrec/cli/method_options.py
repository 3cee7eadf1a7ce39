"""The options of `nestrec train` that say how a model is trained; each name becomes an object here, once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.training.engines import TorchEngine
    from nestrec.training.trainer import Trainer


class PresetName(StrEnum):
    """Sets of options, by name."""

    paper = "paper"


class EngineName(StrEnum):
    """Engines, by name."""

    cpu = "cpu"
    torch = "torch"


class DeviceName(StrEnum):
    """Devices of the torch engine, by name."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


class OptimizerName(StrEnum):
    """Optimizers of the torch engine, by name."""

    adagrad = "adagrad"
    adam = "adam"
    sparse_adam = "sparse-adam"


class BackboneName(StrEnum):
    """Backbones, by name."""

    mf = "mf"
    lightgcn = "lightgcn"


class LossName(StrEnum):
    """Losses, by name."""

    softmax = "softmax"
    bpr = "bpr"
    bce = "bce"
    directau = "directau"


class SamplerName(StrEnum):
    """Samplers, by name."""

    pool = "pool"
    uniform = "uniform"
    dynamic = "dynamic"
    adaptive = "adaptive"
    curriculum = "curriculum"
    mixed = "mixed"
    disentangled = "disentangled"


_CHOOSING = {"candidates": "n_candidates", "shared": "shared"}
_OF_SAMPLERS: dict[SamplerName, dict[str, str]] = {  # option -> the field it fills
    SamplerName.pool: {"candidates": "n_candidates"},
    SamplerName.uniform: {"shared": "shared"},
    SamplerName.dynamic: {**_CHOOSING, "hardest": "n_hardest"},
    SamplerName.adaptive: {**_CHOOSING, "alpha": "alpha", "beta": "beta", "power": "power"},
    SamplerName.curriculum: _CHOOSING,
    SamplerName.mixed: _CHOOSING,
    SamplerName.disentangled: {"candidates": "n_candidates", "alpha": "alpha", "gamma": "gamma"},
}
_OF_LOSSES: dict[LossName, dict[str, str]] = {
    LossName.softmax: {"temperature": "temperature", "coupling": "coupling"},
    LossName.bpr: {},
    LossName.bce: {},
    LossName.directau: {"gamma": "gamma"},
}
_OF_BACKBONES: dict[BackboneName, dict[str, str]] = {
    BackboneName.mf: {},
    BackboneName.lightgcn: {"layers": "n_layers", "edge_dropout": "edge_dropout"},
}


@dataclass(frozen=True)
class MethodOptions:
    """How a model is trained. None leaves a choice to the library."""

    preset: Annotated[
        PresetName | None,
        typer.Option(help="Begin from the paper's setting; what other options give comes first.", show_default="none"),
    ] = None
    engine: Annotated[
        EngineName | None, typer.Option(help="What trains.", show_default="cpu where it can, otherwise torch")
    ] = None
    device: Annotated[DeviceName | None, typer.Option(help="Where the torch engine trains.", show_default="auto")] = (
        None
    )
    optimizer: Annotated[
        OptimizerName | None,
        typer.Option(help="How the torch engine steps.", show_default="adagrad, for lightgcn adam"),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Interactions in a step of the torch engine.", show_default="by the backbone"),
    ] = None
    mixed_precision: Annotated[
        bool | None, typer.Option("--mixed-precision", help="Let the torch engine score candidates in bfloat16.")
    ] = None
    backbone: Annotated[BackboneName | None, typer.Option(help="What vectors are made of.", show_default="mf")] = None
    layers: Annotated[
        int | None, typer.Option(metavar="K", help="Steps over the graph; for lightgcn.", show_default="3")
    ] = None
    edge_dropout: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="Interactions left out of the graph in each step; for lightgcn.", show_default="0"
        ),
    ] = None
    loss: Annotated[
        LossName | None,
        typer.Option(help="What every width minimises.", show_default="softmax; bpr for samplers of one item"),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="What scores are divided by; for softmax.", show_default="by the width"),
    ] = None
    coupling: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="How much a width's coordinates heed the next wider one, 0 to 1; for softmax.",
            show_default="0.3",
        ),
    ] = None
    sampler: Annotated[
        SamplerName | None,
        typer.Option(
            help="How negatives are chosen: a whole pool, any item, the hardest, one as hard as the positive allows, "
            "from hard to easy, mixed with the positive, or by learned gates.",
            show_default="pool; dynamic for bpr and bce",
        ),
    ] = None
    candidates: Annotated[
        int | None,
        typer.Option(metavar="N", help="Candidates drawn per width and interaction.", show_default="by the data"),
    ] = None
    shared: Annotated[
        bool | None, typer.Option("--shared", help="One negative for all widths, chosen at the widest.")
    ] = None
    hardest: Annotated[
        int | None,
        typer.Option(metavar="N", help="Take any of the N hardest candidates; for dynamic.", show_default="1"),
    ] = None
    alpha: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="For adaptive and disentangled.", show_default="1.0; 0.2 for disentangled"),
    ] = None
    beta: Annotated[float | None, typer.Option(metavar="NUMBER", help="For adaptive.", show_default="0.1")] = None
    power: Annotated[int | None, typer.Option(metavar="P", help="For adaptive.", show_default="-2")] = None
    gamma: Annotated[
        float | None,
        typer.Option(metavar="NUMBER", help="For directau and disentangled.", show_default="1.0; 0.5 for disentangled"),
    ] = None

    def trainer(self, given: dict[str, Any]) -> Trainer:
        """Return the trainer with this method and what else is given; raise OptionError where options do not fit."""
        from nestrec.training.trainer import Trainer

        method = {"backbone": self._backbone(), "loss": self._loss(), "sampler": self._sampler()}
        method = {name: value for name, value in method.items() if value is not None}
        self._refuse_unused()
        engine = self._engine()
        make: Callable[..., Trainer] = Trainer if self.preset is None else Trainer.paper
        trainer = make(**method, **given) if engine is None else make(**method, **given, engine=engine)
        if self.engine is EngineName.cpu and trainer.engine is not None:
            raise OptionError(
                "the cpu engine trains mf with --sampler pool, dynamic or uniform, each width its own negatives, not "
                f"{type(trainer.backbone).__name__} with {type(trainer.loss).__name__} and "
                f"{type(trainer.sampler).__name__} as they were asked for; leave --engine out, or give torch"
            )
        return trainer

    def _backbone(self) -> Any:
        from nestrec.training.backbones import MF, LightGCN

        if self.backbone is None and self.layers is None and self.edge_dropout is None:
            return None
        name = self.backbone or BackboneName.lightgcn
        made = {BackboneName.mf: MF, BackboneName.lightgcn: LightGCN}[name]
        return made(**self._values(_OF_BACKBONES[name]))

    def _loss(self) -> Any:
        from nestrec.training.losses import BPR, BinaryCrossEntropy, DirectAU, SampledSoftmax

        if self.loss is None and self.temperature is None and self.coupling is None:
            return None
        made: dict[LossName, Any] = {
            LossName.softmax: SampledSoftmax,
            LossName.bpr: BPR,
            LossName.bce: BinaryCrossEntropy,
            LossName.directau: DirectAU,
        }
        name = self.loss or LossName.softmax
        return made[name](**self._values(_OF_LOSSES[name]))

    def _sampler(self) -> Any:
        from nestrec.training import samplers

        made: dict[SamplerName, Any] = {
            SamplerName.pool: samplers.PoolSampler,
            SamplerName.uniform: samplers.UniformSampler,
            SamplerName.dynamic: samplers.DynamicSampler,
            SamplerName.adaptive: samplers.AdaptiveSampler,
            SamplerName.curriculum: samplers.CurriculumSampler,
            SamplerName.mixed: samplers.MixedSampler,
            SamplerName.disentangled: samplers.DisentangledSampler,
        }
        name = self._sampler_name()
        return None if name is None else made[name](**self._values(_OF_SAMPLERS[name]))

    def _sampler_name(self) -> SamplerName | None:
        """Return the sampler asked for, or the one that the options of samplers are meant for."""
        if self.sampler is not None:
            return self.sampler
        if self.beta is not None or self.power is not None:
            return SamplerName.adaptive
        if self.hardest is not None or self.shared is not None:
            return SamplerName.dynamic
        if self.candidates is None or self.loss is LossName.directau:
            return None
        pairs = self.loss in (LossName.bpr, LossName.bce) or (self.preset is not None and self.loss is None)
        return SamplerName.dynamic if pairs else SamplerName.pool

    def _engine(self) -> TorchEngine | None:
        """Return the torch engine with its options, where it or one of them is asked for."""
        from nestrec.training.engines import TorchEngine
        from nestrec.training.optimizers import Adagrad, Adam

        optimizers = {
            OptimizerName.adagrad: Adagrad(),
            OptimizerName.adam: Adam(),
            OptimizerName.sparse_adam: Adam(sparse=True),
        }
        own: dict[str, Any] = {
            "device": None if self.device is None else str(self.device),
            "optimizer": None if self.optimizer is None else optimizers[self.optimizer],
            "batch_size": self.batch_size,
            "mixed_precision": self.mixed_precision,
        }
        given = {name: value for name, value in own.items() if value is not None}
        if self.engine is EngineName.cpu:
            for name in given:
                raise OptionError(f"--{name.replace('_', '-')} means nothing to --engine cpu; leave one of the two out")
            return None
        if not given and self.engine is None:
            return None
        preset = {} if self.preset is None else {"optimizer": Adam(), "batch_size": 2048}
        return TorchEngine(**{**preset, **given})

    def _values(self, fields: dict[str, str]) -> dict[str, Any]:
        values = {field: getattr(self, option) for option, field in fields.items()}
        return {field: value for field, value in values.items() if value is not None}

    def _refuse_unused(self) -> None:
        """Raise OptionError for an option that none of the objects asked for has."""
        sampler, loss, backbone = self._sampler_name(), self.loss, self.backbone
        used = {
            *(_OF_SAMPLERS[sampler] if sampler is not None else ()),
            *(_OF_LOSSES[loss or LossName.softmax]),
            *(_OF_BACKBONES[backbone or BackboneName.lightgcn]),
        }
        asked = ", ".join(
            f"--{kind} {name}"
            for kind, name in (("backbone", backbone), ("loss", loss), ("sampler", sampler))
            if name is not None
        )
        for option in {o for of in (*_OF_SAMPLERS.values(), *_OF_LOSSES.values(), *_OF_BACKBONES.values()) for o in of}:
            value = getattr(self, option)
            if value is not None and option not in used:
                given = f"--{option.replace('_', '-')}" + ("" if value is True else f" {value}")
                raise OptionError(f"{given} means nothing to {asked or 'the default method'}; leave one of the two out")

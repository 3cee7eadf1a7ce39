"""The options of `nestrec train` that say how a model is trained; names are those of training/registry.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from nestrec.errors import OptionError
from nestrec.training.registry import BACKBONES, CPU_ENGINE, ENGINES, LOSSES, OPTIMIZERS, SAMPLERS, make

if TYPE_CHECKING:
    from nestrec.training.trainer import Trainer


class PresetName(StrEnum):
    """Sets of options, by name."""

    paper = "paper"


class DeviceName(StrEnum):
    """Devices of the torch engine, by name."""

    auto = "auto"
    cpu = "cpu"
    cuda = "cuda"


def _names(title: str, names: Iterable[str]) -> type[StrEnum]:
    """Return names as typer takes choices."""
    return StrEnum(title, {name.replace("-", "_"): name for name in names})  # type: ignore[return-value]


if TYPE_CHECKING:
    EngineName: TypeAlias = str
    OptimizerName: TypeAlias = str
    BackboneName: TypeAlias = str
    LossName: TypeAlias = str
    SamplerName: TypeAlias = str
else:
    EngineName = _names("EngineName", ENGINES)
    OptimizerName = _names("OptimizerName", OPTIMIZERS)
    BackboneName = _names("BackboneName", BACKBONES)
    LossName = _names("LossName", LOSSES)
    SamplerName = _names("SamplerName", SAMPLERS)

_CHOOSING = {"candidates": "n_candidates", "shared": "shared"}
_OF_SAMPLERS: dict[str, dict[str, str]] = {  # option -> the field it fills
    "pool": {"candidates": "n_candidates"},
    "uniform": {"shared": "shared"},
    "dynamic": {**_CHOOSING, "hardest": "n_hardest"},
    "adaptive": {**_CHOOSING, "alpha": "alpha", "beta": "beta", "power": "power"},
    "curriculum": _CHOOSING,
    "mixed": _CHOOSING,
    "disentangled": {"candidates": "n_candidates", "alpha": "alpha", "gamma": "gamma"},
}
_OF_LOSSES: dict[str, dict[str, str]] = {
    "softmax": {"temperature": "temperature", "coupling": "coupling"},
    "bpr": {},
    "bce": {},
    "directau": {"gamma": "gamma"},
}
_OF_BACKBONES: dict[str, dict[str, str]] = {
    "mf": {},
    "lightgcn": {"layers": "n_layers", "edge_dropout": "edge_dropout"},
}


@dataclass(frozen=True)
class MethodOptions:
    """How a model is trained. None leaves a choice to the library."""

    preset: Annotated[
        PresetName | None,
        typer.Option(help="Start from the paper's setting; other options override it.", show_default="none"),
    ] = None
    engine: Annotated[
        EngineName | None, typer.Option(help="Training engine.", show_default="cpu where it can, otherwise torch")
    ] = None
    device: Annotated[DeviceName | None, typer.Option(help="Device of the torch engine.", show_default="auto")] = None
    optimizer: Annotated[
        OptimizerName | None,
        typer.Option(help="Optimizer of the torch engine.", show_default="adagrad, for lightgcn adam"),
    ] = None
    batch_size: Annotated[
        int | None,
        typer.Option(metavar="N", help="Batch size of the torch engine.", show_default="by the backbone"),
    ] = None
    mixed_precision: Annotated[
        bool | None, typer.Option("--mixed-precision", help="Score candidates in bfloat16 (torch engine).")
    ] = None
    backbone: Annotated[BackboneName | None, typer.Option(help="Encoder of the embeddings.", show_default="mf")] = None
    layers: Annotated[
        int | None, typer.Option(metavar="K", help="Propagation layers; for lightgcn.", show_default="3")
    ] = None
    edge_dropout: Annotated[
        float | None,
        typer.Option(metavar="SHARE", help="Share of edges dropped in each step; for lightgcn.", show_default="0"),
    ] = None
    loss: Annotated[
        LossName | None,
        typer.Option(help="Loss of every width.", show_default="softmax; bpr for samplers of one item"),
    ] = None
    temperature: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER", help="Softmax temperature, by which scores are divided.", show_default="by the width"
        ),
    ] = None
    coupling: Annotated[
        float | None,
        typer.Option(
            metavar="NUMBER",
            help="How strongly losses of wider widths update the dimensions of a narrower one, 0 to 1; for softmax.",
            show_default="0.3",
        ),
    ] = None
    sampler: Annotated[
        SamplerName | None,
        typer.Option(
            help="Negative sampler: a shared pool, uniform, the hardest, as hard as the positive allows, from hard to "
            "easy, mixed with the positive, or by learned gates.",
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
        typer.Option(metavar="N", help="Choose among the N hardest candidates; for dynamic.", show_default="1"),
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
        self._refuse_unused()
        method["engine"] = self._engine()
        method = {name: value for name, value in method.items() if value is not None}
        make_trainer: Callable[..., Trainer] = Trainer if self.preset is None else Trainer.paper
        return make_trainer(**method, **given)

    def _backbone(self) -> Any:
        if self.backbone is None and self.layers is None and self.edge_dropout is None:
            return None
        name = self.backbone or "lightgcn"
        return make("backbone", name, **self._values(_OF_BACKBONES[name]))

    def _loss(self) -> Any:
        if self.loss is None and self.temperature is None and self.coupling is None:
            return None
        name = self.loss or "softmax"
        return make("loss", name, **self._values(_OF_LOSSES[name]))

    def _sampler(self) -> Any:
        name = self._sampler_name()
        return None if name is None else make("sampler", name, **self._values(_OF_SAMPLERS[name]))

    def _sampler_name(self) -> str | None:
        """Return the sampler asked for, or the one that the options of samplers are meant for."""
        if self.sampler is not None:
            return self.sampler
        if self.beta is not None or self.power is not None:
            return "adaptive"
        if self.hardest is not None or self.shared is not None:
            return "dynamic"
        if self.candidates is None or self.loss == "directau":
            return None
        pairs = self.loss in ("bpr", "bce") or (self.preset is not None and self.loss is None)
        return "dynamic" if pairs else "pool"

    def _engine(self) -> Any:
        """Return the engine that is asked for, by its name or by one of the torch engine's options."""
        own: dict[str, Any] = {
            "device": None if self.device is None else str(self.device),
            "optimizer": None if self.optimizer is None else make("optimizer", self.optimizer),
            "batch_size": self.batch_size,
            "mixed_precision": self.mixed_precision,
        }
        given = {name: value for name, value in own.items() if value is not None}
        if self.engine == CPU_ENGINE:
            for name in given:
                raise OptionError(f"--{name.replace('_', '-')} means nothing to --engine cpu; leave one of the two out")
            return CPU_ENGINE
        if not given and self.engine is None:
            return None
        preset = {} if self.preset is None else {"optimizer": make("optimizer", "adam"), "batch_size": 2048}
        return make("engine", "torch", **{**preset, **given})

    def _values(self, fields: dict[str, str]) -> dict[str, Any]:
        values = {field: getattr(self, option) for option, field in fields.items()}
        return {field: value for field, value in values.items() if value is not None}

    def _refuse_unused(self) -> None:
        """Raise OptionError for an option that none of the objects asked for has."""
        sampler, loss, backbone = self._sampler_name(), self.loss, self.backbone
        used = {
            *(_OF_SAMPLERS[sampler] if sampler is not None else ()),
            *(_OF_LOSSES[loss or "softmax"]),
            *(_OF_BACKBONES[backbone or "lightgcn"]),
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

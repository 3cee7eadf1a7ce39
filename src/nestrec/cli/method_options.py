"""The options of `nestrec train` that say how a model is trained, derived from the classes in training/registry.py."""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass, field, make_dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias

import typer

from nestrec.cli.class_options import ClassOption, derive_options, name_choices
from nestrec.cli.console import say
from nestrec.cli.panels import MODEL, TRAINING
from nestrec.errors import OptionError
from nestrec.training.losses import Negatives
from nestrec.training.registry import CPU_ENGINE, list_classes, list_names, make

if TYPE_CHECKING:
    from nestrec.training.trainer import Trainer

_KINDS = {  # help, default and panel of the option that names a class; the panel is that of its fields too
    "backbone": ("Encoder of the embeddings; its own options select it.", "mf", MODEL),
    "loss": ("Loss of every width.", "softmax; bpr for samplers of one item", MODEL),
    "sampler": ("Negative sampler; its own options select it.", "pool; dynamic for bpr and bce", MODEL),
    "engine": ("Training engine; its options select torch.", "cpu if it can, otherwise torch", TRAINING),
}
Values: TypeAlias = list[tuple[ClassOption, Any]]  # of the options given


@dataclass(frozen=True)
class MethodOptions:
    """How a model is trained. None leaves a choice to the library."""

    panel: ClassVar[str] = TRAINING
    options: ClassVar[list[ClassOption]] = []

    preset: Annotated[
        Literal["paper"] | None,
        typer.Option(help="Start from the paper's setting; other options override it.", show_default="none"),
    ] = None

    @classmethod
    def with_class_options(cls, taken: Set[str]) -> type[MethodOptions]:
        """Return a subclass with the options of all classes; `taken` are the names of other parameters."""
        options: list[ClassOption] = []
        for kind in _KINDS:
            derive_options(kind, options, {*taken, *_KINDS, "preset"})
        declared: list[tuple[str, Any, None]] = []
        for kind, (text, default, panel) in _KINDS.items():
            choice = typer.Option(help=text, show_default=default, rich_help_panel=panel)
            declared.append((kind, Annotated[name_choices(kind, list_names(kind)) | None, choice], None))
            declared += [option.declare(panel) for option in options if option.uses[0].kind == kind]
        return make_dataclass(
            cls.__name__,
            [(name, hint, field(default=default)) for name, hint, default in declared],
            bases=(cls,),
            namespace={"options": options},
            frozen=True,
        )

    def trainer(self, given: dict[str, Any]) -> Trainer:
        """Return the trainer with this method and what else is given; raise OptionError where options do not fit."""
        from nestrec.training.trainer import Trainer

        values = [(option, getattr(self, option.parameter)) for option in self.options]
        values = [(option, value) for option, value in values if value is not None]
        chosen: dict[str, str] = {}
        inferred: dict[str, str] = {}
        for kind in _KINDS:
            name = getattr(self, kind) or _infer_name(kind, values) or self._infer_sampler(kind, values, chosen)
            if name is not None:
                chosen[kind] = str(name)
                if getattr(self, kind) is None and self.preset is None and not _is_default(kind, chosen):
                    inferred[kind] = str(name)
        _refuse_unused(values, chosen)
        method = {kind: self._make(kind, name, values) for kind, name in chosen.items()}
        make_trainer: Callable[..., Trainer] = Trainer if self.preset is None else Trainer.paper
        trainer = make_trainer(**method, **given)
        _announce(inferred, values, None if "loss" in chosen else trainer.loss)
        return trainer

    def _infer_sampler(self, kind: str, values: Values, chosen: dict[str, str]) -> str | None:
        """Return the sampler that an option of several samplers is meant for: the one that goes with the loss."""
        if kind != "sampler":
            return None
        likely = ["dynamic"]
        if "loss" in chosen or self.preset is None:
            takes = make("loss", chosen.get("loss", "softmax")).takes
            likely = {Negatives.POOL: ["pool", "dynamic"], Negatives.ONE: ["dynamic"], Negatives.NONE: []}[takes]
        has_option = {use.name for option, _ in values for use in option.uses if use.kind == kind}
        return next((name for name in likely if name in has_option), None)

    def _make(self, kind: str, name: str, values: Values) -> Any:
        """Return the object of this name with the values given for it."""
        given = {
            use.field: value for option, value in values for use in option.uses if (use.kind, use.name) == (kind, name)
        }
        if name == CPU_ENGINE and kind == "engine":
            return CPU_ENGINE
        if kind == "engine" and self.preset is not None:
            from nestrec.training.trainer import Trainer

            return replace(Trainer.paper().engine, **given)  # type: ignore[type-var]
        return make(kind, name, **given)


def _infer_name(kind: str, values: Values) -> str | None:
    """Return the class of this kind that alone has one of the options given; the softmax for one that losses share."""
    own = (option.uses[0] for option, _ in values if len(option.uses) == 1)
    shared = (use for option, _ in values for use in option.uses if (use.kind, use.name) == ("loss", "softmax"))
    return next((use.name for use in (*own, *shared) if use.kind == kind), None)


def _is_default(kind: str, chosen: dict[str, str]) -> bool:
    """Return whether the class chosen last is the one that the library takes without it."""
    pairwise = kind == "sampler" and make("loss", chosen.get("loss", "softmax")).takes is Negatives.ONE
    default = "dynamic" if pairwise else {"backbone": "mf", "loss": "softmax", "sampler": "pool"}.get(kind)
    return chosen[kind] == default


def _announce(inferred: dict[str, str], values: Values, loss: Any) -> None:
    """Say which classes were taken because of an option that belongs to them, and the loss that goes with a sampler."""
    for kind, name in inferred.items():
        causes = (o for o, _ in values if any((use.kind, use.name) == (kind, name) for use in o.uses))
        cause = min(causes, key=lambda option: len(option.uses))  # the one that fewest classes have
        losses = [own for own, cls in list_classes("loss").items() if cls is type(loss)] if kind == "sampler" else []
        say(f"--{cause.name} selects --{kind} {name}" + "".join(f" and --loss {own}" for own in losses))


def _refuse_unused(values: Values, chosen: dict[str, str]) -> None:
    """Raise OptionError for an option that none of the classes chosen has."""
    for option, value in values:
        if not any(chosen.get(use.kind) == use.name for use in option.uses):
            names = {use.kind: [other.name for other in option.uses if other.kind == use.kind] for use in option.uses}
            owners = " or ".join(f"--{kind} {', '.join(of)}" for kind, of in names.items())
            method = " ".join(f"--{kind} {name}" for kind, name in chosen.items()) or "the default method"
            raise OptionError(f"{option.format(value)} must go with {owners}, got {method}; leave one of the two out")

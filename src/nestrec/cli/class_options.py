"""Options derived from the fields of dataclasses: an option has the type, the default and the help of its field.

`option` in the metadata of a field is the name of its option where the field's own would not do, or None for none.
The help is the sentence below the field, in which "None: …" says what is taken without a value. Classes may share an
option.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import MISSING, Field, dataclass, fields, is_dataclass
from enum import StrEnum
from typing import Annotated, Any

import typer

from nestrec.field_docs import read_field_docs
from nestrec.training.registry import list_classes, list_names

_TYPES: dict[str, tuple[type, str | None]] = {
    "int": (int, "N"),
    "float": (float, "NUMBER"),
    "str": (str, "TEXT"),
    "bool": (bool, None),
}
_MANY = 3  # classes with an option, from which on its help does not name them


@dataclass(frozen=True)
class Use:
    """A field that an option fills, what it says, and its default."""

    kind: str
    name: str  # of the class, in the registry
    field: str
    help: str
    default: str


@dataclass(frozen=True)
class ClassOption:
    """An option and the fields it fills."""

    name: str
    parameter: str
    type: Any
    metavar: str | None
    uses: list[Use]

    def declare(self, panel: str) -> tuple[str, Any, None]:
        """Return name, type and default of a field in a dataclass of options; None is for an option not given."""
        turns_off = self.type is bool and self.uses[0].default == "True"
        option = typer.Option(
            f"--{self.name}/--no-{self.name}" if turns_off else f"--{self.name}",
            metavar=self.metavar,
            help=_join({use.name: use.help for use in self.uses}, is_default=False),
            show_default=self.type is not bool and _join({use.name: use.default for use in self.uses}, is_default=True),
            rich_help_panel=panel,
        )
        return self.parameter, Annotated[self.type | None, option], None

    def format(self, value: Any) -> str:
        """Return the option as it is given on the command line."""
        return f"--{self.name}" if value is True else f"--{self.name} {value}"


def derive_options(kind: str, options: list[ClassOption], taken: Set[str]) -> None:
    """Add the options of all classes of a kind to those there are; `taken` are names of other parameters."""
    for name, made in list_classes(kind).items():
        cls = getattr(made, "func", made)  # of a partial
        if not is_dataclass(cls):
            continue
        docs = read_field_docs(cls) if isinstance(cls, type) else {}
        for field in fields(cls):
            option = field.metadata.get("option", field.name.replace("_", "-"))
            typed = _type_of(field)
            if option is not None and typed is not None and field.init:
                text, _, of_none = docs.get(field.name, "").partition(" None: ")
                use = Use(kind, name, field.name, text, of_none.rstrip(".") or _format_default(field))
                _enter(use, option, typed, options, taken)


def _enter(use: Use, name: str, typed: tuple[Any, str | None], options: list[ClassOption], taken: Set[str]) -> None:
    """Let the option of this name and type fill one field more, or add one; a name that is taken gets a prefix."""
    for option in options:
        if (option.name, option.type) == (name, typed[0]):
            option.uses.append(use)
            return
    if name.replace("-", "_") in taken or any(option.name == name for option in options):
        prefix = use.name
        options.append(ClassOption(f"{prefix}-{name}", f"{prefix}_{use.field}".replace("-", "_"), *typed, [use]))
    else:
        options.append(ClassOption(name, use.field, *typed, [use]))


def _type_of(field: Field[Any]) -> tuple[Any, str | None] | None:
    """Return type and placeholder of an option; None for a field that only Python code can fill."""
    if "kind" in field.metadata:
        return name_choices(field.metadata["kind"], list_names(field.metadata["kind"])), None
    if "choices" in field.metadata:
        return name_choices(field.name, field.metadata["choices"]), None
    text = field.type.__name__ if isinstance(field.type, type) else str(field.type)
    names = set(re.findall(r"\w+", text)) - {"None", "Optional", "Union", "typing"}
    return _TYPES.get(names.pop()) if len(names) == 1 else None


def name_choices(title: str, names: tuple[str, ...]) -> Any:
    """Return names as typer takes choices.

    >>> list(name_choices("loss", ("bpr", "bce")))
    [<Loss.bpr: 'bpr'>, <Loss.bce: 'bce'>]
    """
    return StrEnum(title.capitalize(), {name.replace("-", "_"): name for name in names})


def _format_default(field: Field[Any]) -> str:
    return "" if field.default is MISSING or field.default is None else str(field.default)


def _join(texts: dict[str, str], *, is_default: bool) -> str:
    """Return what classes say of an option, by class where they say different things.

    >>> _join({"adaptive": "1.0", "disentangled": "0.2"}, is_default=True)
    '1.0 for adaptive, 0.2 for disentangled'
    """
    names = {text: [name for name, own in texts.items() if own == text] for text in dict.fromkeys(texts.values())}
    if len(names) == 1 and (is_default or len(texts) > _MANY):
        return next(iter(names))
    if is_default:
        return ", ".join(f"{text} for {' and '.join(of)}" for text, of in names.items() if text)
    return " ".join(f"{text.rstrip('.')} ({', '.join(of)})." for text, of in names.items())

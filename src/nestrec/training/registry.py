"""Samplers, losses, backbones, optimizers and engines by name, the same in Python and on the command line.

Each class is listed once, in the table at the end of its module. Other packages add samplers, losses and backbones
through entry points (`nestrec.plugins`). Modules are imported when a name of their kind is looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any, NamedTuple

from nestrec.arguments import suggest
from nestrec.errors import OptionError
from nestrec.plugins import merge_plugins


class _Kind(NamedTuple):
    """Where the classes of a kind are listed, and what an object of the kind has."""

    module: str
    attributes: tuple[str, ...]
    is_open: bool = True  # to plug-ins


_KINDS = {
    "backbone": _Kind("backbones", ("encoder", "moves_all", "regularization_scale")),
    "loss": _Kind("losses", ("takes", "data_defaults", "coupling", "temperature")),
    "sampler": _Kind("samplers", ("gives", "n_candidates")),
    "optimizer": _Kind("optimizers", ("learning_rate",), is_open=False),
    "engine": _Kind("engines", ("optimizer_for", "batch_size_for", "check_device"), is_open=False),
}
CPU_ENGINE = "cpu"


def list_classes(kind: str) -> dict[str, Callable[..., Any]]:
    """Return the classes of a kind (backbone, loss, sampler, optimizer, engine) by name, those of plug-ins included.

    >>> list(list_classes("backbone"))[:2]
    ['mf', 'lightgcn']
    """
    built_in = _list_built_in(kind)
    return merge_plugins(f"nestrec.{_KINDS[kind].module}", built_in) if _KINDS[kind].is_open else built_in


def list_names(kind: str) -> tuple[str, ...]:
    """Return the names of a kind, that of the CPU engine included, which has no class.

    >>> list_names("engine")
    ('cpu', 'torch')
    """
    return (*((CPU_ENGINE,) if kind == "engine" else ()), *list_classes(kind))


def make(kind: str, name: str, **values: Any) -> Any:
    """Return an object of this kind and name with values of its fields; raise OptionError for an unknown name.

    >>> make("sampler", "dynamic", n_candidates=16)
    DynamicSampler(n_candidates=16, shared=False, n_hardest=1)
    """
    plain = name.strip().lower().replace("_", "-")
    built_in = _list_built_in(kind)
    found = built_in.get(plain) or (list_classes(kind).get(name.strip()) if _KINDS[kind].is_open else None)
    if found is None:
        names = list_names(kind)
        raise OptionError(f"{kind} must be one of {', '.join(names)}; got {name!r}{suggest(plain, names)}", option=kind)
    return found(**values)


def resolve(kind: str, value: Any) -> Any:
    """Return the object that a name, a class or an object stands for; raise OptionError for any other value.

    >>> resolve("loss", "bpr") == resolve("loss", resolve("loss", "bpr"))
    True
    """
    if isinstance(value, str):
        return make(kind, value)
    if isinstance(value, type):
        value = _make_of_class(kind, value)
    if not all(hasattr(value, name) for name in _KINDS[kind].attributes):
        example = next(iter(_list_built_in(kind).values())).__name__
        names = ", ".join(list_names(kind))
        raise OptionError(
            f"{kind} must be one of {names}, or an object such as {example}(); got {value!r}", option=kind
        )
    return value


def _list_built_in(kind: str) -> dict[str, Any]:
    module = _KINDS[kind].module
    table: dict[str, Any] = getattr(import_module(f"nestrec.training.{module}"), module.upper())
    return table


def _make_of_class(kind: str, given: type) -> Any:
    try:
        return given()
    except TypeError as error:
        raise OptionError(
            f"{kind} must be an object, got class {given.__name__}; make one of it", option=kind
        ) from error

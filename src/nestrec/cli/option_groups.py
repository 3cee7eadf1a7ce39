"""Options that belong together stand in one frozen dataclass, and several commands can take it.

A command names such a class as the type of one of its parameters; `expand_options` shows typer every field as an option
of its own, in the `panel` of the class, and hands the command the object. A class with `with_class_options` is
completed first (method_options.py).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Annotated, Any, cast, get_type_hints

import typer

from nestrec.cli.console import set_quiet

_QUIET = Annotated[bool, typer.Option("--quiet", "-q", help="Print results, warnings and errors alone, no progress.")]


def expand_options(command: Callable[..., None], *, has_progress: bool) -> Callable[..., None]:
    """Return the command with the fields of its dataclass parameters as options, and --quiet if it shows progress."""
    signature = inspect.signature(command, eval_str=True)
    groups = {p.name: p.annotation for p in signature.parameters.values() if is_dataclass(p.annotation)}
    taken = {"quiet", *(name for name in signature.parameters if name not in groups)}
    taken |= {field.name for group in groups.values() for field in fields(group)}
    for name, group in groups.items():
        if hasattr(group, "with_class_options"):
            groups[name] = group.with_class_options(taken)

    def wrapper(**values: Any) -> None:
        from nestrec.cli.log_records import show_log_records

        set_quiet(quiet=values.pop("quiet", False))
        show_log_records()
        built = {name: _take(group, values) for name, group in groups.items()}
        command(**values, **built)

    parameters = [
        single
        for p in signature.parameters.values()
        for single in _singles(p.replace(annotation=groups.get(p.name, p.annotation)))
    ]
    if has_progress:
        parameters.append(inspect.Parameter("quiet", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=_QUIET))
    wrapper.__name__, wrapper.__doc__ = command.__name__, command.__doc__
    wrapper.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    wrapper.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
    return wrapper


def _take(group: Any, values: dict[str, Any]) -> Any:
    return group(**{field.name: values.pop(field.name) for field in fields(group)})


def _singles(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    if not is_dataclass(parameter.annotation):
        yield parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY)
        return
    hints = get_type_hints(parameter.annotation, include_extras=True)
    for field in fields(parameter.annotation):
        (option,) = hints[field.name].__metadata__
        option.rich_help_panel = option.rich_help_panel or cast("Any", parameter.annotation).panel
        yield inspect.Parameter(
            field.name, inspect.Parameter.KEYWORD_ONLY, default=_default(field), annotation=hints[field.name]
        )


def _default(field: Field[Any]) -> Any:
    return inspect.Parameter.empty if field.default is MISSING else field.default

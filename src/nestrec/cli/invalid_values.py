"""Errors for values that are not of the type of their option: the value, the rule, and a suggestion for names."""

from __future__ import annotations

import re
from typing import Any

import typer

from nestrec.arguments import suggest
from nestrec.errors import OptionError

_RULES = {"int_parsing": "an integer", "int_from_float": "an integer", "float_parsing": "a number"}


def explain(error: typer.BadParameter, context: Any) -> Exception:
    """Return the error to raise instead: wrong usage on the command line, an OptionError in a --config file."""
    details: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()  # of pydantic, which names no value
    rule = _state_rule(details[0]) if details else None
    if rule is None or error.param is None:
        return error
    name = str(error.param.name)
    source = context.get_parameter_source(name)
    if source is not None and source.name == "DEFAULT_MAP":
        return OptionError(f"config {context.params.get('config')}: {error.param.opts[0].lstrip('-')} {rule}")
    return typer.BadParameter(rule, ctx=error.ctx, param=error.param)


def _state_rule(detail: dict[str, Any]) -> str | None:
    """Return what a value must be, and what it is.

    >>> _state_rule({"type": "int_parsing", "input": "abc"})
    "must be an integer, got 'abc'"
    >>> _state_rule({"type": "value_error", "input": "bp", "msg": "'bp' is not one of 'bpr', 'bce'."})
    "must be one of bpr, bce; got 'bp'; did you mean 'bpr'?"
    """
    value = detail["input"]
    if detail["type"] in _RULES:
        return f"must be {_RULES[detail['type']]}, got {value!r}"
    choices = re.findall(r"'([^']+)'", detail["msg"].partition(" is not one of ")[2])
    return f"must be one of {', '.join(choices)}; got {value!r}{suggest(str(value), choices)}" if choices else None

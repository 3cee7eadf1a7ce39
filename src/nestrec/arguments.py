"""Validate arguments: numbers, and the names of keywords."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import fields
from difflib import get_close_matches
from functools import wraps
from inspect import Parameter, signature
from numbers import Real
from operator import index as as_integer
from typing import Any, ParamSpec, SupportsIndex, TypeVar, cast

from nestrec.errors import OptionError, UnknownOptionError

P = ParamSpec("P")
T = TypeVar("T")


def check_integer(name: str, value: object, example: int) -> int:
    """Return the value as an int; raise OptionError for text, fractions, True and False.

    >>> check_integer("epochs", 60, example=60)
    60
    """
    try:
        if not _is_boolean(value):
            return as_integer(cast("SupportsIndex", value))
    except TypeError:
        pass
    raise OptionError(f"{name} must be an integer, got {value!r} (for example {example})", option=name)


def check_number(name: str, value: object, example: float) -> float:
    """Return the value as a float; raise OptionError unless it is a real number. NaN and infinity are numbers."""
    if isinstance(value, Real) and not _is_boolean(value):
        try:
            return float(value)
        except OverflowError:
            pass
    raise OptionError(f"{name} must be a number, got {value!r} (for example {example})", option=name)


def check_integers(name: str, values: object, example: str) -> tuple[int, ...]:
    """Return one integer or several as a tuple; raise OptionError for anything else.

    >>> check_integers("cutoffs", 10, "10,20,50"), check_integers("cutoffs", [10, 20], "10,20,50")
    ((10,), (10, 20))
    """
    rule = f"{name} must be integers, such as ({example}); got"
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        values = (values,)
    try:
        return tuple(check_integer(name, value, 0) for value in values)
    except OptionError as error:
        raise OptionError(f"{rule} {values!r}", option=name) from error


def require(holds: bool, name: str, rule: str, value: object) -> None:  # noqa: FBT001 - a condition, as of assert
    """Raise OptionError unless the value of an option keeps its rule.

    >>> require(False, "patience", "be at least 1", 0)
    Traceback (most recent call last):
    nestrec.errors.OptionError: patience must be at least 1, got 0
    """
    if not holds:
        raise OptionError(f"{name} must {rule}, got {value!r}", option=name)


def check_range(name: str, value: float, lowest: float, highest: float, example: float) -> None:
    """Raise OptionError unless the value is a number in [lowest, highest].

    >>> check_range("patience", 0, 1, 100, example=8)
    Traceback (most recent call last):
    nestrec.errors.OptionError: patience must be between 1 and 100, got 0 (for example 8)
    """
    check_number(name, value, example)
    if not lowest <= value <= highest:
        rule = f"{name} must be between {lowest} and {highest}, got {value} (for example {example})"
        raise OptionError(rule, option=name)


def check_count(name: str, value: int, highest: int, example: int) -> None:
    """Raise OptionError unless the value is an integer from 1 to highest."""
    check_range(name, check_integer(name, value, example), 1, highest, example)


def suggest(name: str, choices: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for a name near one of the choices, else nothing.

    >>> suggest("epoch", ["epochs", "widths"])
    "; did you mean 'epochs'?"
    """
    near = get_close_matches(name, list(choices), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def check_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function to raise UnknownOptionError for unknown keywords, with a suggestion."""
    parameters = signature(function).parameters.values()
    names = [one.name for one in parameters if one.kind in (Parameter.KEYWORD_ONLY, Parameter.POSITIONAL_OR_KEYWORD)]

    @wraps(function)
    def wrapper(*args: P.args, **values: P.kwargs) -> T:
        _check_names(function.__qualname__, values, names)
        return function(*args, **values)

    return wrapper


def name_group(argument: str, cls: type) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Decorate a function to raise UnknownOptionError for a keyword that is a field of the dataclass of an argument."""
    names = [field.name for field in fields(cls)]

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @wraps(function)
        def wrapper(*args: P.args, **values: P.kwargs) -> T:
            for name, value in values.items():
                if name in names:
                    remedy = f"give {argument}={cls.__name__}({name}={value!r})"
                    raise UnknownOptionError(f"{function.__qualname__} has no argument {name!r}; {remedy}")
            return function(*args, **values)

        return wrapper

    return decorate


def check_fields(cls: type[T]) -> type[T]:
    """Decorate a dataclass to raise UnknownOptionError for unknown fields, with a suggestion."""
    names = [field.name for field in fields(cast("Any", cls)) if field.init]
    init: Callable[..., None] = cls.__init__

    @wraps(init)
    def wrapper(self: T, *args: Any, **values: Any) -> None:
        _check_names(cls.__name__, values, names)
        init(self, *args, **values)

    cls.__init__ = wrapper  # type: ignore[assignment]
    return cls


def _check_names(owner: str, values: dict[str, Any], names: list[str]) -> None:
    for name in values:
        if name not in names:
            meant = suggest(name, names) or f"; choose from {', '.join(one for one in names if one != 'self')}"
            raise UnknownOptionError(f"{owner} has no argument {name!r}{meant}")


def _is_boolean(value: object) -> bool:
    return isinstance(value, bool) or type(value).__name__ in ("bool_", "bool")  # numpy's, without importing it

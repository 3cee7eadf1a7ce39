"""The docs of a dataclass's fields: the sentence below each, as editors and documentation tools read it.

Python forgets these sentences, so `help` would not show them; `show_field_docs` adds them to the docstring of a class
when it is asked for, read from the source.
"""

from __future__ import annotations

import textwrap
from dataclasses import MISSING, Field, fields
from functools import cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

if TYPE_CHECKING:
    import ast
    from collections.abc import Iterator

Class = TypeVar("Class", bound=type)


def read_field_docs(cls: type) -> dict[str, str]:
    """Return the docs of the fields of a class and of those it inherits, as far as its source can be read.

    >>> from nestrec.training.backbones import LightGCN
    >>> read_field_docs(LightGCN)["n_layers"]
    'Propagation layers.'
    """
    docs: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        docs |= _read_module(base.__module__).get(base.__name__, {})
    return docs


def show_field_docs(cls: Class) -> Class:
    """Decorate a dataclass: its docstring lists every field with its type, default and docs.

    >>> from nestrec import LeaveLastOut
    >>> "n: int = 1" in LeaveLastOut.__doc__
    True
    """
    cls.__doc__ = cast("Any", _DocOfClass(cls.__doc__ or ""))
    return cls


class _DocOfClass:
    """A docstring that is completed when it is read, so that importing reads no source."""

    def __init__(self, summary: str) -> None:
        self._summary = summary
        self._whole: str | None = None

    def __get__(self, instance: object, owner: type) -> str:
        if self._whole is None:
            docs = read_field_docs(owner)
            entries = [_describe(field, docs.get(field.name)) for field in fields(cast("Any", owner)) if field.init]
            self._whole = (
                f"{self._summary.rstrip()}\n\n    Fields:\n\n{textwrap.indent(chr(10).join(entries), ' ' * 4)}\n"
            )
        return self._whole


def _describe(field: Field[Any], doc: str | None) -> str:
    """Return a field as it is declared, with its docs indented below."""
    kind = field.type.__name__ if isinstance(field.type, type) else field.type
    default = "" if field.default is MISSING else f" = {field.default!r}"
    lines = textwrap.wrap(doc or "", 100, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([f"{field.name}: {kind}{default}", *lines])


@cache
def _read_module(name: str) -> dict[str, dict[str, str]]:
    """Return for each class of a module the docs of its fields."""
    import ast
    import inspect
    import sys

    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (OSError, TypeError, SyntaxError):  # built in, or without source
        return {}
    return {node.name: dict(_read_class(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _read_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    import ast

    for field, doc in zip(node.body, node.body[1:], strict=False):
        match field, doc:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())

"""What a dataclass says of its fields: the sentence below each, as editors and documentation tools read it."""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterator
from functools import cache


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


@cache
def _read_module(name: str) -> dict[str, dict[str, str]]:
    """Return for each class of a module the docs of its fields."""
    try:
        tree = ast.parse(inspect.getsource(sys.modules[name]))
    except (OSError, TypeError, SyntaxError):  # built in, or without source
        return {}
    return {node.name: dict(_read_class(node)) for node in tree.body if isinstance(node, ast.ClassDef)}


def _read_class(node: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, doc in zip(node.body, node.body[1:], strict=False):
        match field, doc:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())

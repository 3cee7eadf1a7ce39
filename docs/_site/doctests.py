"""Griffe extension: doctests of a docstring become code blocks; Markdown would read `>>>` as quotations."""

from __future__ import annotations

import re
from typing import Any

from griffe import Extension

_DOCTEST = re.compile(r"^>>> .*(?:\n(?!\n).*)*", re.MULTILINE)  # to the next empty line
_FLAGS = re.compile(r"\s*# doctest:.*")


class Doctests(Extension):
    """Rewrites every docstring as it is loaded."""

    def on_object(self, *, obj: Any, **_: Any) -> None:
        """Fence the doctests of an object's docstring."""
        if obj.docstring:
            obj.docstring.value = _DOCTEST.sub(_fenced, obj.docstring.value)


def _fenced(example: re.Match[str]) -> str:
    return f"```pycon\n{_FLAGS.sub('', example[0])}\n```"

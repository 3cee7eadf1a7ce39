"""Resolve the argument `validation`: a split, a fraction, a name, interactions, or a path or table of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, cast

from nestrec.arguments import suggest
from nestrec.data.as_interactions import as_interactions
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import LeaveLastOut, RandomSplit, Split, TimeSplit
from nestrec.errors import OptionError

DEFAULT_FRACTION = 0.1
SPLITS: dict[str, Split] = {
    "random": RandomSplit(DEFAULT_FRACTION),
    "time": TimeSplit(DEFAULT_FRACTION),
    "leave-last-out": LeaveLastOut(),
}


def resolve_validation(given: Any) -> Split | Interactions | None:
    """Return a split or interactions; raise OptionError for anything else, DataError for data that cannot be read.

    >>> resolve_validation(0.2), resolve_validation("leave-last-out")
    (RandomSplit(fraction=0.2, seed=0), LeaveLastOut(n=1))
    """
    if given is None or isinstance(given, Interactions):
        return given
    if isinstance(given, bool):
        raise OptionError(
            f"validation must be a split, a fraction such as 0.1, or None; got {given}", option="validation"
        )
    if isinstance(given, (int, float)):
        return RandomSplit(given)
    if isinstance(given, type):
        raise OptionError(
            f"validation must be an object such as RandomSplit(0.1), got class {given.__name__}", option="validation"
        )
    if isinstance(given, (str, os.PathLike)):
        return _resolve_text(os.fspath(given))
    if callable(getattr(given, "split", None)):
        return cast("Split", given)
    return as_interactions(given)


def needs_times(validation: Split | Interactions | None) -> bool:
    """Return whether a split needs timestamps."""
    return isinstance(validation, (TimeSplit, LeaveLastOut))


def _resolve_text(text: str) -> Split | Interactions:
    name = text.strip().lower().replace("_", "-")
    if name in SPLITS:
        return SPLITS[name]
    if not Path(text).exists():
        raise OptionError(
            f"validation must be one of {', '.join(SPLITS)}, a fraction such as 0.1 or a file; got {text!r}"
            f"{suggest(name, SPLITS)}",
            option="validation",
        )
    return as_interactions(text)

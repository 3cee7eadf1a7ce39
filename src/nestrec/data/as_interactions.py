"""Convert what callers pass as interactions: a path or a table is read with the default options."""

from __future__ import annotations

import os
import warnings
from typing import Any

from nestrec.data.interactions import Interactions
from nestrec.data.read_report import format_count
from nestrec.data.rejections import REPEATED
from nestrec.errors import DataError, DataWarning


def as_interactions(source: Any, *, keep_timestamps: bool = False) -> Interactions:
    """Return interactions as they are, or read a path or a table that `read_interactions` takes.

    Warns with DataWarning where rows are left out, repeats aside; `read_interactions` tells which. Raises DataError for
    what cannot be read.

    >>> as_interactions({"user": ["ann", "bob"], "item": [1, 1]})
    <Interactions: 2 users, 1 items, 2 interactions>
    """
    if isinstance(source, Interactions):
        return source
    _refuse_pairs(source)
    from nestrec.data.reading import ReadOptions, read_interactions

    interactions = read_interactions(source, options=ReadOptions(keep_timestamps=keep_timestamps))
    report = interactions.report
    assert report is not None  # these were read from a source
    lost = {reason: count for reason, count in report.rejected.items() if reason != REPEATED.text and count}
    if lost:
        reasons = "; ".join(f"{count:,}: {reason}" for reason, count in lost.items())
        sentence = f"{report.source}: {format_count(sum(lost.values()), 'row')} left out ({reasons})"
        warnings.warn(sentence, DataWarning, stacklevel=3)
    return interactions


def _refuse_pairs(source: object) -> None:
    """Raise DataError for the usual things that are nearly interactions."""
    if isinstance(source, tuple) and source and isinstance(source[0], Interactions):
        raise DataError(
            "interactions must be one set, got a tuple; a split returns (train, held_out): pass one of them"
        )
    if isinstance(getattr(source, "interactions", None), Interactions):
        raise DataError(f"interactions must be Interactions, got {type(source).__name__}; pass its .interactions")
    if isinstance(source, (str, os.PathLike)) and not os.fspath(source):
        raise DataError("the path of interactions must not be empty; give a path or a table")

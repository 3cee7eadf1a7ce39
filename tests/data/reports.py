"""Reading in tests that look at the report too."""

from __future__ import annotations

from typing import Any

from nestrec.data.interactions import Interactions
from nestrec.data.read_report import ReadReport
from nestrec.data.reading import read_interactions


def read_with_report(source: Any, **options: Any) -> tuple[Interactions, ReadReport]:
    """Return the interactions of a source and their report, which is always there."""
    interactions = read_interactions(source, **options)
    assert interactions.report is not None
    return interactions, interactions.report

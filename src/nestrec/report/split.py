"""The parts of a split as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestrec.data.cold_ids import drop_cold
from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from nestrec.data.file_split import Assignment


def split_table(assignment: Assignment, codes: Sequence[int]) -> TextTable:
    """Return rows, interactions, users and items of each part, and the number of cold users and items."""
    from nestrec.data.file_split import PARTS, TRAIN

    train = drop_cold(assignment.part(TRAIN))
    rows = []
    for code in codes:
        part = drop_cold(assignment.part(code))
        cold = ["–", "–"]
        if code != TRAIN:
            sides = ((train.users, part.users), (train.items, part.items))
            cold = [f"{int((known.index_of(ids.ids, unknown='mark') < 0).sum()):,}" for known, ids in sides]
        sizes = (assignment.n_rows(code), part.n_interactions, part.n_users, part.n_items)
        rows.append((PARTS[code], *(f"{size:,}" for size in sizes), *cold))
    headers = ("part", "rows", "interactions", "users", "items", "cold users", "cold items")
    title = "Parts (cold: without training interactions)"
    return TextTable(headers, tuple(rows), title, n_left=1)

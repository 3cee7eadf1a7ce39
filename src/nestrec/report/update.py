"""Updates of a model as tables: what changed, how far it moved, and the history."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nestrec.report.table import TextTable

_COUNTS = ("changed", "added", "removed", "unchanged")


def changes_table(record: dict[str, Any]) -> TextTable:
    """Return the numbers of users and items that changed, came, went or stayed, from the record of an update."""
    rows = tuple((side, *(f"{record[side][name]:,}" for name in _COUNTS)) for side in ("users", "items"))
    return TextTable(("vectors", *_COUNTS), rows, n_left=1)


def drift_table(record: dict[str, Any]) -> TextTable:
    """Return how far vectors and lists moved, by width."""
    rows = tuple(
        (
            str(of["width"]),
            f"{of['user_cosine']:.3f}",
            f"{of['item_cosine']:.3f}",
            f"{100 * of['users_changed']:.1f}%",
            f"{100 * of['items_changed']:.1f}%",
            f"{100 * of['top_10_overlap']:.1f}%",
        )
        for of in record["drift"]
    )
    headers = ("width", "user cosine", "item cosine", "users changed", "items changed", "top 10 in common")
    return TextTable(headers, rows, title="Before and after the update")


def history_table(updates: Sequence[dict[str, Any]]) -> TextTable:
    """Return the updates of a model, the first one first."""
    rows = tuple(
        (
            str(update["time"]),
            *(f"{update['interactions'][name]:,}" for name in ("new", "removed", "total")),
            *(f"{update[side]['changed'] + update[side]['added']:,}" for side in ("users", "items")),
            str(update["epochs"]),
        )
        for update in updates
    )
    headers = ("updated", "new interactions", "removed", "total", "users written", "items written", "epochs")
    return TextTable(headers, rows, title="Updates", n_left=1)

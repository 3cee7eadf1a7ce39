"""The report of a reading: rows kept, and rows rejected by reason with examples."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

SHOWN_PER_REASON = 5
UNUSED_RATINGS = "ratings are not used"  # how the note begins that there are some


@dataclass(frozen=True)
class Example:
    """One row that was rejected."""

    place: str  # "line 17", "row 3"
    value: str

    def __str__(self) -> str:
        """Show both."""
        return f"{self.place}: {self.value!r}"


@dataclass(frozen=True)
class ReadReport:
    """Rows read, kept and rejected: `n_rows == n_kept + sum(rejected.values())`.

    Repeats of a pair, ratings below the minimum and rows taken out by the k-core filter are reasons too.
    """

    source: str  # path, or the type of a Python table
    format: str  # csv, tsv, parquet, jsonl, recbole, adjacency, table, arrays, sparse
    columns: dict[str, str]  # role (user, item, rating, timestamp) -> column used
    n_rows: int  # rows read; for adjacency text, items
    n_kept: int  # distinct pairs in the result
    n_users: int = 0
    n_items: int = 0
    rejected: dict[str, int] = field(default_factory=dict)  # reason -> rows
    examples: dict[str, list[Example]] = field(default_factory=dict)  # reason -> the first few
    notes: list[str] = field(default_factory=list)  # what a careful reader would want to know
    training_notes: list[str] = field(default_factory=list)  # the same, where a model is trained on the rows

    def lines(self, earlier: ReadReport | None = None, *, for_training: bool = True) -> list[str]:
        """Return the report as lines to print; that ratings are not used is not said again after an earlier report."""
        used = ", ".join(f"{role} from {name}" for role, name in self.columns.items())
        head = f"{self.source}: {format_count(self.n_rows, 'row')} read as {self.format}"
        users, items = format_count(self.n_users, "user"), format_count(self.n_items, "item")
        kept = f"kept {format_count(self.n_kept, 'interaction')} of {users} with {items}"
        said = () if earlier is None else [note for note in earlier.notes if UNUSED_RATINGS in note]
        notes = [note for note in self.notes if note not in said]
        notes += self.training_notes if for_training else []
        return [head + (f" ({used})" if used else ""), kept, *self._rejected_lines(), *notes]

    def _rejected_lines(self) -> list[str]:
        result = []
        for reason, count in self.rejected.items():
            shown = "; ".join(str(example) for example in self.examples.get(reason, [])[:3])
            result.append(f"left out {count:,}: {reason}" + (f" ({shown})" if shown else ""))
        return result

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self) | {"examples": {reason: list(map(str, shown)) for reason, shown in self.examples.items()}}


def format_count(number: int, noun: str) -> str:
    """Return the number and the noun in its number.

    >>> format_count(1, "row"), format_count(1200, "row")
    ('1 row', '1,200 rows')
    """
    return f"{number:,} {noun}" + ("" if number == 1 else "s")

"""What the checks found: one line a check, and every violation with how to see it again."""

from __future__ import annotations

import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

COLUMNS = ("injected", "old kept", "new in place", "losses", "silent", "crashes", "unclean")
VIOLATIONS = frozenset(COLUMNS[3:])


@dataclass
class Tally:
    """Counts of one check. `losses`: neither old nor new, or finished work gone; `silent`: success was said, or damage
    was not noticed; `crashes`: a traceback, a signal, a hang, a foreign exception; `unclean`: leftovers, the user's
    files touched, or a next run that fails.
    """

    check: str
    counts: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    seconds: float = 0.0
    note: str = ""
    details: list[str] = field(default_factory=list)  # of checks that measure
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, column: str, example: str = "", n: int = 1) -> None:
        """Count; of violations the example is kept."""
        with self._lock:
            self.counts[column] += n
            if column in VIOLATIONS and example:
                self.examples.append(f"{self.check}: {column}: {example}")

    @property
    def n_violations(self) -> int:
        """How many things went wrong."""
        return sum(self.counts[column] for column in VIOLATIONS)

    def row(self) -> tuple[str, ...]:
        """Return the line of the table."""
        return (self.check, *(f"{self.counts[column]:,}" for column in COLUMNS), f"{self.seconds:.1f}")


def table(tallies: list[Tally]) -> str:
    """Return the lines as one table of text, with a last line of sums."""
    total = Tally("all", sum((tally.counts for tally in tallies), Counter()), seconds=sum(t.seconds for t in tallies))
    rows = [("check", *COLUMNS, "seconds"), *(tally.row() for tally in [*tallies, total])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [
        "  ".join([row[0].ljust(widths[0]), *(text.rjust(w) for text, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:-1], "-" * len(lines[0]), lines[-1]])


def append_record(path: Path, tally: Tally) -> None:
    """Add one result to a file of JSON lines."""
    kept = ("check", "counts", "examples", "seconds", "note", "details")
    line = json.dumps({name: getattr(tally, name) for name in kept})
    with path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")


def read_records(path: Path) -> list[Tally]:
    """Return the results in a file."""
    records = (json.loads(line) for line in path.read_text(encoding="utf-8").splitlines())
    return [Tally(**{**record, "counts": Counter(record["counts"])}) for record in records]


def summed(tallies: list[Tally]) -> list[Tally]:
    """Return one tally for each check; the notes of the first are kept."""
    found: dict[str, Tally] = {}
    for tally in tallies:
        total = found.setdefault(tally.check, Tally(tally.check, note=tally.note, details=tally.details))
        total.counts.update(tally.counts)
        total.examples += tally.examples
        total.seconds += tally.seconds
    return list(found.values())

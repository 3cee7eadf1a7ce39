"""Rows of Python values of any type: of a SQLite table, of a list of tuples or dictionaries, of an iterator."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

from nestrec.data.readers.batch import Batch
from nestrec.data.readers.python_values import build_batch, parse_id
from nestrec.data.readers.source_columns import UNUSED, SourceColumns
from nestrec.data.rejections import Reason, RejectionLog

_AT_ONCE = 1 << 16

Values = Sequence[Any]  # of one row, in the order of the roles


class RowsReader:
    """Rows with one value for each role."""

    def __init__(
        self,
        rows: Iterator[Values],
        columns: SourceColumns,
        *,
        format_name: str,
        total: int | None = None,
        close: Callable[[], None] = lambda: None,
    ) -> None:
        """Take rows whose values are those of `columns.places`."""
        self.format, self.columns = format_name, columns.used
        self.notes: list[str] = []
        self._columns = columns
        self._rows, self._total, self.close = rows, total, close
        self._done = 0

    def progress(self) -> tuple[int, int | None]:
        """Return rows read, and how many there are where that is known."""
        return self._done, self._total

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the usable rows, some thousand at a time."""
        while rows := list(islice(self._rows, _AT_ONCE)):
            values = dict(zip(self._columns.places, map(list, zip(*rows, strict=True)), strict=True))
            if self._columns.unused is not None:
                self._columns.unused.see_objects(values.pop(UNUSED))
            yield build_batch(values, self._columns, rejections, self._format_place, _format_value, parse_id)[0]
            self._done += len(rows)
        self.notes += self._columns.notes()

    def _format_place(self, row: int) -> str:
        return f"row {self._done + row + 1}"


def _format_value(value: object) -> str:
    return "" if isinstance(value, Reason) else str(value)

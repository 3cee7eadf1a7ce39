"""Several files read one after another as one source; rejected rows are shown by file and place."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from nestrec.data.readers.batch import Batch, Reader
from nestrec.data.rejections import RejectionLog
from nestrec.errors import DataError

Opener = Callable[[], Reader | None]  # None: there is nothing in it


class SeveralReader:
    """Rows of all sources in the order given; each must have the format and the columns of the first."""

    def __init__(self, names: Sequence[str], openers: Sequence[Opener], sizes: Sequence[int | None]) -> None:
        """Open the first source that holds anything.

        Raises DataError where none does.
        """
        self.notes: list[str] = []
        self._noted: set[str] = set()  # notes without the name of their file: each is reported once, for the first one
        self._n_empty = 0
        self._sizes, self._done, self._in_progress = sizes, 0, 0
        self._rest = iter(zip(names, openers, sizes, strict=True))
        first = self._open_next()
        if first is None:
            raise DataError(f"none of the {len(names)} files holds anything; give files with interactions")
        self._first_name, self._reader = first
        self.format, self.columns = self._reader.format, self._reader.columns

    def close(self) -> None:
        """Close the source that is open."""
        self._reader.close()

    def progress(self) -> tuple[int, int | None]:
        """Return bytes read, and how many there are where that is known."""
        total = None if None in self._sizes else sum(size or 0 for size in self._sizes)
        return self._done + self._reader.progress()[0], total

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield the rows of one source after another."""
        name = self._first_name
        while True:
            rejections.prefix = f"{name}, "
            yield from self._reader.batches(rejections)
            self._reader.close()
            self._done += self._in_progress
            self._take_notes(name)
            following = self._open_next()
            if following is None:
                break
            name, self._reader = following
            self._check_alike(name)
        if self._n_empty:
            verb = "is" if self._n_empty == 1 else "are"
            self.notes.append(f"{self._n_empty:,} of the files {verb} empty")

    def _open_next(self) -> tuple[str, Reader] | None:
        for name, opener, size in self._rest:
            reader = opener()
            if reader is not None:
                self._in_progress = size or 0
                return name, reader
            self._n_empty += 1
        return None

    def _check_alike(self, name: str) -> None:
        reader = self._reader
        if reader.format != self.format:
            reader.close()
            raise DataError(
                f"{self._first_name} is read as {self.format} and {name} as {reader.format}; give files of one format"
            )
        if reader.columns != self.columns:
            reader.close()
            raise DataError(
                f"{self._first_name} and {name} have different columns ({_format_columns(self.columns)}, and "
                f"{_format_columns(reader.columns)}); give files with the same header, or name the columns"
            )

    def _take_notes(self, name: str) -> None:
        for note in self._reader.notes:
            if note not in self._noted and len(self.notes) < 20:
                self._noted.add(note)
                self.notes.append(f"{name}: {note}")


def _format_columns(columns: dict[str, str]) -> str:
    return ", ".join(f"{role} from {name}" for role, name in columns.items()) or "none"

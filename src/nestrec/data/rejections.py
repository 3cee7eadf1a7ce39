"""The log of rejected rows: counts by reason, and the first few as examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from nestrec.arrays import BoolArray
from nestrec.data.read_report import SHOWN_PER_REASON, Example
from nestrec.errors import DataError

_LONGEST_VALUE = 80  # characters shown of a value


@dataclass(frozen=True)
class Reason:
    """Why a row is rejected, and the remedy."""

    text: str
    remedy: str


RAGGED = Reason(
    "the row has more or fewer fields than the first one", "check the delimiter, and quote fields that hold it"
)
UNCLOSED_QUOTE = Reason("a quote is opened and never closed", "close it, double it, or read with quote=None")
STRAY_QUOTE = Reason("a stray quote begins a field", "double it, or read with quote=None")
REPEATED_HEADER = Reason("the row repeats the header", "remove it")
TEXT_AFTER_QUOTE = Reason("text follows a closing quote", "double the quotes inside the field, or read with quote=None")
NOT_UTF8 = Reason("the id is not UTF-8 text", "save the file as UTF-8, or give its encoding")
NUL_IN_ID = Reason("the id holds a NUL byte", "remove it, or, if this is UTF-16 or fixed-width text, give the encoding")
NO_USER = Reason("the user id is missing", "fill it in or remove the row")
NO_ITEM = Reason("the item id is missing", "fill it in or remove the row")
BAD_ID = Reason("the id is neither a whole number nor text", "write ids as numbers or strings")
BAD_RATING = Reason(
    "the rating is not a finite number", "correct it, or leave min_rating out, so that every row counts"
)
BAD_TIME = Reason(
    "the timestamp is neither a finite number nor an ISO 8601 date",
    "correct it, or say with time_format how times are written",
)
NOT_IN_FORMAT = Reason("the timestamp is not written as time_format says", "correct it, or correct time_format")
BAD_JSON = Reason("the line is not a JSON object", "write one object a line")
NOT_AN_ID = Reason(
    "the id is a list or an object", "write one interaction an object, or, for lists of items, set sequence"
)
TOO_LONG = Reason("the row is longer than 1 MiB", "check its quotes and line ends, or shorten it")
ZERO = Reason("the entry is a stored zero, which is no interaction", "remove stored zeros with eliminate_zeros()")
BAD_WEIGHT = Reason("the weight is not a finite number above 0", "correct it, or remove the row")
DISLIKED = Reason("the rating is below dislike_below: kept as a dislike", "lower dislike_below")
BELOW_MIN_RATING = Reason("the rating is below the minimum", "lower min_rating")
REPEATED = Reason("the same user and item stood in another row", "remove the repeats")
BELOW_CORE = Reason("the user or the item has too few interactions", "lower the minimums of the k-core filter")
REMEDY_OPTIONS = (
    "min_rating",
    "time_format",
    "quote=None",
    "dislike_below",
)  # arguments that the remedies above mention


class RejectionLog:
    """The rejected rows of one source."""

    prefix = ""  # before each place: the file, where a source has several

    def __init__(self, source: str, *, strict: bool) -> None:
        self.source = source
        self.counts: dict[str, int] = {}
        self.examples: dict[str, list[Example]] = {}
        self._remedies: dict[str, str] = {}
        self._strict = strict

    def reject(self, reason: Reason, count: int, first: Iterable[tuple[str, str]]) -> None:
        """Log `count` rejected rows, of which `first` yields places and values in file order.

        Raises DataError for the first of them where the reading is strict.
        """
        if count == 0:
            return
        shown = self.examples.setdefault(reason.text, [])
        for place, value in first:
            if len(shown) >= SHOWN_PER_REASON and not self._strict:
                break
            cut = value if len(value) <= _LONGEST_VALUE else value[:_LONGEST_VALUE] + "…"
            if self._strict:
                message = f"{self.source}, {self.prefix}{place}: {reason.text}: {cut!r}; {reason.remedy}"
                raise DataError(message, mentions=REMEDY_OPTIONS)
            shown.append(Example(self.prefix + place, cut))
        self.count(reason, count)

    def reject_rows(
        self, reason: Reason, bad: BoolArray, place: Callable[[int], str], value: Callable[[int], object]
    ) -> None:
        """Log the rows of a mask, (n,), of which `place` and `value` return what is shown."""
        rows = np.flatnonzero(bad).tolist()
        self.reject(reason, len(rows), ((place(row), str(value(row))) for row in rows))

    def count(self, reason: Reason, count: int) -> None:
        """Count rows that options exclude, which is no error in strict readings."""
        if count:
            self.counts[reason.text] = self.counts.get(reason.text, 0) + count
            self._remedies[reason.text] = reason.remedy

    def summary(self) -> str:
        """Return the counts, an example of each reason and the remedy of the most frequent, for an error."""
        parts = []
        for reason, count in self.counts.items():
            shown = self.examples.get(reason)
            parts.append(f"{count:,} because {reason}" + (f" ({shown[0]})" if shown else ""))
        # repeats of rows that are rejected for another reason are not what to correct
        most_frequent = max(self.counts, key=lambda reason: (reason != REPEATED.text, self.counts[reason]))
        return "; ".join([*parts, self._remedies[most_frequent]])

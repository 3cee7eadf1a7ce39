"""The columns of one source that are read, with the parsers of ratings and times."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import numpy as np

from nestrec.arrays import Float64Array
from nestrec.data.id_index import TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.read_report import UNUSED_RATINGS
from nestrec.data.readers.columns import find_columns
from nestrec.data.readers.fields import parse_decimals, parse_number, to_float, to_floats
from nestrec.data.readers.time_notations import Place
from nestrec.data.readers.times import TimeColumn
from nestrec.data.rejections import BAD_RATING, BAD_TIME, BAD_WEIGHT, NOT_IN_FORMAT, Reason
from nestrec.errors import DataError

UNUSED = "unused"  # role of a column of ratings or labels that is not used

_DECIMAL_COMMA = re.compile(r"-?\d+,\d+")
_BOOLEANS = {"true": 1.0, "false": 0.0}


class RatingColumn:
    """Parses the batches of one column, NaN where there is no number; true is 1 and false 0."""

    def __init__(self, source: str, column: str) -> None:
        self._where = f"{source}, column {column!r}"

    def parse_text(self, texts: TextIds, place: Place) -> Float64Array:
        """Return the number of each text; (n,). Raises DataError where one has a decimal comma."""
        values, unsure = parse_decimals(texts)
        for row in np.flatnonzero((unsure != 0) & (texts.ends > texts.starts)).tolist():
            values[row] = self._parse_one(texts.at(row), row, place)
        return values

    def parse_objects(self, values: Sequence[object], place: Place) -> Float64Array:
        """Return the number of each Python value; (n,)."""
        if set(map(type, values)) <= {int, float}:
            return to_floats(values)
        parsed = (
            self._parse_one(value, row, place) if isinstance(value, str) else to_float(value)
            for row, value in enumerate(values)
        )
        return np.array(list(parsed), dtype=np.float64)

    def _parse_one(self, text: str, row: int, place: Place) -> float:
        number = parse_number(text)
        if not math.isnan(number):
            return number
        if _DECIMAL_COMMA.fullmatch(text.strip()):
            raise DataError(
                f"{self._where} holds {text!r} ({place(row)}), a number with a comma; write ratings with a decimal "
                "point, such as 4.5"
            )
        return _BOOLEANS.get(text.strip().lower(), math.nan)


class UnusedRatings:
    """Statistics of ratings that are not used, because no minimum is given and every row counts.

    Values that often mean "no rating" (-1, 0) or "shown and not clicked" (0) are noted; no row is rejected.
    """

    def __init__(self, column: str, *, is_rating: bool) -> None:
        self._column, self._is_rating = column, is_rating
        self._n_zeros, self._n_minus_ones = 0, 0
        self._least = math.inf

    def see_text(self, texts: TextIds) -> None:
        """Take a batch of plain decimals; skip other texts."""
        # Only these are parsed: a plain decimal that is not above 0 begins with a minus, a point or a 0.
        low = np.take(texts.buffer, texts.starts, mode="clip") <= ord("0")
        if low.any():
            self.see(parse_decimals(texts[low])[0])

    def see_objects(self, values: Sequence[object]) -> None:
        """Take a batch of Python values."""
        if set(map(type, values)) <= {int, float}:
            self.see(to_floats(values))
        else:
            self.see(to_floats([value if isinstance(value, (int, float)) else None for value in values]))

    def see(self, values: Float64Array) -> None:
        """Take a batch, NaN where there is no number; (n,)."""
        low = values[values <= 0]  # few, as a rule
        if len(low):
            self._n_zeros += int(np.count_nonzero(low == 0))
            self._n_minus_ones += int(np.count_nonzero(low == -1))
            self._least = min(self._least, float(low.min()))

    def notes(self) -> list[str]:
        """Return the notes for the report, after the last batch."""
        notes = []
        if self._is_rating:
            notes.append(f"{UNUSED_RATINGS} (column {self._column}): every row counts without a minimum rating")
        if self._least < -1:  # a scale with two signs, in which -1 and 0 are ordinary
            return notes
        remedy = "--min-rating leaves out what is rated below it"
        if not self._is_rating:
            remedy = f"--rating-column {self._column} with --min-rating leaves out what is below a value"
        for value, count, meaning in (
            (-1, self._n_minus_ones, "no rating"),
            (0, self._n_zeros, "no rating" if self._is_rating else "no interaction"),
        ):
            if count:
                notes.append(
                    f"{count:,} {'rows have' if count > 1 else 'row has'} {value} in {self._column}, which often means "
                    f'"{meaning}"; such rows count as interactions; {remedy}'
                )
        return notes


class SourceColumns:
    """The columns that are read, and the parsers of their values by role.

    `names` are those of the columns, or of the fields of a first row that is no header; `shown` is how messages name
    columns where it differs. Raises DataError where a column is missing.
    """

    def __init__(
        self,
        names: list[str],
        options: ReadOptions,
        source: str,
        *,
        named: bool = True,
        is_text: bool = False,
        shown: list[str] | None = None,
    ) -> None:
        places = find_columns(names, options, source, named=named, is_text=is_text)
        names = shown or names
        self.places = places.read()  # role -> place, from 0
        self.used = {role: names[place] for role, place in places.roles().items()}  # role -> name
        self._parsers: dict[str, RatingColumn | TimeColumn] = {}
        if places.rating is not None:
            self._parsers["rating"] = RatingColumn(source, names[places.rating])
        if places.weight is not None:
            self._parsers["weight"] = RatingColumn(source, names[places.weight])
        if places.timestamp is not None:
            self._parsers["timestamp"] = TimeColumn(options.time_format, source, names[places.timestamp])
        self.roles = tuple(self._parsers)  # those that a row must have a value for
        self.reasons: dict[str, Reason] = {  # role -> why a row without such a value is left out
            "rating": BAD_RATING,
            "weight": BAD_WEIGHT,
            "timestamp": BAD_TIME if options.time_format is None else NOT_IN_FORMAT,
        }
        self.unused: UnusedRatings | None = None
        if places.unused is not None:
            self.unused = UnusedRatings(names[places.unused], is_rating=places.unused_is_rating)

    @property
    def times(self) -> TimeColumn:
        """The parser of times."""
        parser = self._parsers["timestamp"]
        if not isinstance(parser, TimeColumn):
            raise TypeError("the column of times has the parser of another")
        return parser

    def parse_text(self, role: str, texts: TextIds, place: Place) -> Float64Array:
        """Return the values of a column of text, NaN where there is none; (n,)."""
        return self._parsers[role].parse_text(texts, place)

    def parse_objects(self, role: str, values: Sequence[object], place: Place) -> Float64Array:
        """Return the values of a column of Python objects, NaN where there is none; (n,)."""
        return self._parsers[role].parse_objects(values, place)

    def notes(self) -> list[str]:
        """Return the notes for the report, after the last batch."""
        times = self.times.notes() if "timestamp" in self._parsers else []
        return [*times, *(self.unused.notes() if self.unused else [])]

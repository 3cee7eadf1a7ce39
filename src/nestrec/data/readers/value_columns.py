"""The columns of ratings and times of one source, each with its parser."""

from __future__ import annotations

from collections.abc import Sequence

from nestrec.arrays import Float64Array
from nestrec.data.id_index import TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.columns import ColumnPlaces
from nestrec.data.readers.ratings import RatingColumn, UnusedRatings
from nestrec.data.readers.time_writings import Place
from nestrec.data.readers.times import TimeColumn
from nestrec.data.rejections import BAD_RATING, BAD_TIME, NOT_IN_FORMAT, Reason

UNUSED = "unused"  # role of a column of ratings or labels that decides nothing


class ValueColumns:
    """Parses by role; `roles` are those that a row must have a value for."""

    def __init__(self, places: ColumnPlaces, names: Sequence[str], options: ReadOptions, source: str) -> None:
        self._parsers: dict[str, RatingColumn | TimeColumn] = {}
        if places.rating is not None:
            self._parsers["rating"] = RatingColumn(source, names[places.rating])
        if places.timestamp is not None:
            self._parsers["timestamp"] = TimeColumn(options.time_format, source, names[places.timestamp])
        self.roles = tuple(self._parsers)
        self.reasons: dict[str, Reason] = {  # role -> why a row without such a value is left out
            "rating": BAD_RATING,
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
        """Return what is to be told once all rows were read."""
        times = self.times.notes() if "timestamp" in self._parsers else []
        return [*times, *(self.unused.notes() if self.unused else [])]

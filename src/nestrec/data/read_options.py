"""Options of reading interactions; by default, formats and columns are detected."""

from __future__ import annotations

import codecs
import math
import os
import re
from dataclasses import dataclass
from datetime import datetime

from nestrec.arguments import check_number
from nestrec.data.formats import FORMATS, selectable_formats
from nestrec.errors import OptionError

REPEATS = ("first", "last", "max", "sum")

EPOCH_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # per second

_YEARS = ("%Y", "%y", "%G", "%c", "%x")

Column = str | int | None


@dataclass(frozen=True)
class ReadOptions:
    """How to read interactions.

    >>> ReadOptions(user_column="visitor", min_rating=4).min_rating
    4
    """

    format: str | None = None
    """One of csv, tsv, recbole, adjacency, jsonl, parquet and those of plug-ins; by default detected from the file's
    name and contents."""
    user_column: Column = None
    """Name of the column of users, or its position from 1; by default recognised by its usual names."""
    item_column: Column = None
    """Name of the column of items, or its position from 1; by default recognised by its usual names."""
    rating_column: Column = None
    """Name or position of the column of ratings; by default recognised if there is one; `""` ignores ratings."""
    timestamp_column: Column = None
    """Name or position of the column of times, used with `keep_timestamps`; by default recognised."""
    header: bool | None = None
    """Whether the first row names the columns; by default it does unless columns are given by position."""
    delimiter: str | None = None
    """One or two characters between fields; by default found among comma, tab, semicolon, bar and `::`."""
    quote: str | None = "auto"
    """The character around fields that hold delimiters or line ends; None reads quotes as ordinary characters.

    By default `"` in CSV, and none in tab-separated text (TSV, RecBole's) unless all fields of its first row have it.
    """
    encoding: str | None = None
    """Encoding of text, such as `latin-1` or `shift_jis`; by default UTF-8, or UTF-16 where the file begins so."""
    na_values: tuple[str, ...] | None = None
    """Words that stand, unquoted, for a missing user or item; by default NULL, null, None, NaN, nan, NA and `\\N`.

    An empty tuple lets them all be ids: only empty fields are missing then.
    """
    sequence: bool = False
    """Whether a cell of the item column holds several items, each of which is one interaction of the row's user."""
    sequence_separator: str = " "
    """The character between the items of a cell, used with `sequence`; a blank stands for any run of blanks."""
    min_rating: float | None = None
    """Pairs rated below this are left out; by default every row is an interaction and ratings are not used."""
    repeats: str | None = None
    """Which of the ratings of a repeated (user, item) pair `min_rating` is held against: `first`, `last`, `max` or
    `sum`; by default `max`, so that any rating at or above the minimum keeps the pair. First and last go by time where
    there is a column of times (`timestamp_column=""` ignores it), otherwise by the order of the rows."""
    min_user_interactions: int = 0
    """Users with fewer distinct items are left out, until none is left to leave out (k-core)."""
    min_item_interactions: int = 0
    """Items with fewer distinct users are left out, until none is left to leave out (k-core)."""
    keep_timestamps: bool = False
    """Keep the time of each interaction, for splits by time. Of repeats it is the latest (with `min_rating`, the latest
    of the rows at or above it); `repeats` `first` or `last` keeps the time of that row, `sum` the latest of all."""
    time_format: str | None = None
    """How times are written: strptime directives such as `%d/%m/%Y %H:%M`, or the unit of numbers, `s`, `ms`, `us` or
    `ns`; by default text is ISO 8601 (UTC where it names no zone) and numbers are kept as they are."""
    strict: bool = False
    """Stop with an error at the first row that cannot be used, instead of counting such rows."""
    memory_limit_mb: int = 1024
    """Megabytes for buffers while reading, the result not counted; pairs beyond half of it wait in a temporary file."""
    threads: int | None = None
    """Threads to read with; by default one per processor. The result does not depend on it."""

    def __post_init__(self) -> None:
        """Check every value once.

        Raises OptionError with the value, the rule and the remedy.
        """
        if self.format is not None and not _is_selectable(self.format):
            raise OptionError(
                f"format must be one of {', '.join(selectable_formats())}, got {self.format!r}", option="format"
            )
        for name in ("user_column", "item_column", "rating_column", "timestamp_column"):
            column = getattr(self, name)
            if isinstance(column, int) and column < 1:
                raise OptionError(f"{name} must be a name or a position from 1, got {column}", option=name)
        self._check_characters()
        self._check_repeats()
        if self.time_format is not None:
            _check_time_format(self.time_format)
        if self.min_rating is not None and not math.isfinite(check_number("min_rating", self.min_rating, example=4)):
            raise OptionError(f"min_rating must be finite, got {self.min_rating} (for example 4)", option="min_rating")
        self._check_at_least("min_user_interactions", self.min_user_interactions, 0)
        self._check_at_least("min_item_interactions", self.min_item_interactions, 0)
        self._check_at_least("memory_limit_mb", self.memory_limit_mb, 64)
        if self.threads is not None:
            self._check_at_least("threads", self.threads, 1)

    def _check_characters(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) not in (1, 2) or not self.delimiter.isascii()):
            raise OptionError(
                f"delimiter must be one or two ASCII characters, got {self.delimiter!r} (for example ',' or '::')",
                option="delimiter",
            )
        if self.delimiter is not None and set(self.delimiter) & set("\r\n"):
            raise OptionError(
                f"delimiter must not end a line, got {self.delimiter!r}; give the characters between fields",
                option="delimiter",
            )
        if self.quote not in (None, "", "auto") and (len(self.quote) != 1 or not self.quote.isascii()):
            raise OptionError(
                f"quote must be one ASCII character, or None for no quoting; got {self.quote!r}", option="quote"
            )
        if self.encoding is not None and not _is_text_encoding(self.encoding):
            raise OptionError(
                f"encoding must be one that Python knows, such as 'latin-1', got {self.encoding!r}", option="encoding"
            )
        given: object = self.na_values
        if given is not None and (not isinstance(given, tuple) or not all(isinstance(word, str) for word in given)):
            raise OptionError(
                f"na_values must be a tuple of words such as ('NA', 'null'), got {given!r}", option="na_values"
            )
        if len(self.sequence_separator) != 1 or not self.sequence_separator.isascii():
            raise OptionError(
                f"sequence_separator must be one ASCII character such as ' ' or '|', got {self.sequence_separator!r}",
                option="sequence_separator",
            )
        if self.sequence_separator != " " and not self.sequence:
            raise OptionError(
                "sequence_separator needs sequence=True; add it, or leave the separator out",
                option="sequence_separator",
                mentions=("sequence=True",),
            )

    def _check_repeats(self) -> None:
        if self.repeats is None:
            return
        if self.repeats not in REPEATS:
            raise OptionError(f"repeats must be one of {', '.join(REPEATS)}, got {self.repeats!r}", option="repeats")
        if self.min_rating is None and not (self.keep_timestamps and self.orders_repeats):
            raise OptionError(
                f"repeats {self.repeats!r} chooses which rating is compared with min_rating, and there is none; "
                "give min_rating, or leave repeats out",
                mentions=("min_rating",),
            )

    def _check_at_least(self, name: str, value: int, least: int) -> None:
        if check_number(name, value, example=least) < least:
            raise OptionError(f"{name} must be at least {least}, got {value}", option=name)

    @property
    def orders_repeats(self) -> bool:
        """Whether one of the rows of a repeated pair decides for all."""
        return self.repeats in ("first", "last")

    @property
    def reads_times(self) -> bool:
        """Whether a column of times is read where there is one."""
        return self.keep_timestamps or (self.orders_repeats and self.timestamp_column != "")

    @property
    def n_threads(self) -> int:
        """Threads to use on this machine."""
        return self.threads or os.cpu_count() or 1


def _is_selectable(name: str) -> bool:
    return (name in FORMATS and FORMATS[name].is_selectable) or name in selectable_formats()


def _is_text_encoding(name: str) -> bool:
    """Return whether Python can decode text of this encoding piece by piece."""
    try:
        decoder = codecs.getincrementaldecoder(name)()
        return isinstance(decoder.decode(b"", final=True), str)
    except (LookupError, TypeError, ValueError, AttributeError):
        return False


def _check_time_format(time_format: str) -> None:
    """Raise OptionError where the format is neither a unit of epoch numbers nor one that names a whole date."""
    if time_format in EPOCH_UNITS:
        return
    remedy = "give strptime directives, such as '%d/%m/%Y %H:%M', or the unit of numbers: s, ms, us or ns"
    if "%Z" in time_format:
        raise OptionError(
            f"time_format {time_format!r}: names of time zones (%Z) are not read; write the name itself, as in "
            "'%Y-%m-%d %H:%M:%S UTC' (times without an offset count as UTC), or use %z for offsets",
            mentions=("time_format",),
        )
    if not any(directive in time_format.replace("%%", "") for directive in _YEARS):
        raise OptionError(
            f"time_format must name at least the year (%Y), got {time_format!r}; {remedy}", option="time_format"
        )
    try:
        datetime.strptime("", time_format)  # noqa: DTZ007 - raises, always
    except (ValueError, re.error) as error:
        if not str(error).startswith("time data"):
            raise OptionError(
                f"time_format {time_format!r} is not valid ({error}); {remedy}", mentions=("time_format",)
            ) from error

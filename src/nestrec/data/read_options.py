"""Options of reading interactions; by default, formats and columns are detected."""

from __future__ import annotations

import codecs
import math
import os
import re
from dataclasses import dataclass, replace
from datetime import datetime

from nestrec.arguments import check_number, require
from nestrec.data.formats import FORMATS, selectable_formats
from nestrec.data.pair_weights import TRANSFORMS
from nestrec.errors import OptionError
from nestrec.field_docs import show_field_docs

REPEATS = ("first", "last", "max", "sum")

EPOCH_UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}  # per second

_SECOND = 1e-5  # days, about
_YEARS = ("%Y", "%y", "%G", "%c", "%x")

Column = str | int | None


@show_field_docs
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
    """Name or position of the column of times, used with `keep_timestamps` and `half_life`; by default recognised."""
    weight_column: Column = None
    """Name or position of a column of weights above 0, such as plays or quantities: the importance of an interaction in
    training. Weights of repeats are summed. By default all interactions weigh the same."""
    rating_weights: bool = False
    """Weight interactions by their ratings, which must be above 0 where they are kept."""
    weight_transform: str | None = None
    """Function of the summed weight of an interaction: `log1p` or `sqrt`."""
    half_life: float | None = None
    """Days in which the weight of a row falls to half, before repeats are summed, more than 0.00001 (about a second);
    age is counted from the latest time in the data. It needs a column of times."""
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
    dislike_below: float | None = None
    """Pairs rated below this and not kept as interactions are dislikes: extra negatives of their user in training."""
    repeats: str | None = None
    """Which of the ratings of a repeated (user, item) pair `min_rating` is held against: `first`, `last`, `max` or
    `sum`; by default `max`, so that any rating at or above the minimum keeps the pair. First and last go by time where
    there is a column of times (`timestamp_column=""` ignores it), otherwise by the order of the rows. With weights it
    also chooses the weight of the pair, by default `sum`."""
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
        for name in ("user_column", "item_column", "rating_column", "timestamp_column", "weight_column"):
            column = getattr(self, name)
            require(not isinstance(column, int) or column >= 1, name, "be a name or a position from 1", column)
        self._check_characters()
        self._check_repeats()
        if self.time_format is not None:
            _check_time_format(self.time_format)
        if self.min_rating is not None:
            finite = math.isfinite(check_number("min_rating", self.min_rating, example=4))
            require(finite, "min_rating", "be finite, such as 4", self.min_rating)
        self._check_signals()
        self._check_at_least("min_user_interactions", self.min_user_interactions, 0)
        self._check_at_least("min_item_interactions", self.min_item_interactions, 0)
        self._check_at_least("memory_limit_mb", self.memory_limit_mb, 64)
        if self.threads is not None:
            self._check_at_least("threads", self.threads, 1)

    def _check_characters(self) -> None:
        delimiter, quote, words = self.delimiter, self.quote, self.na_values
        if delimiter is not None:
            rule = "be one or two ASCII characters, such as ',' or '::'"
            require(len(delimiter) in (1, 2) and delimiter.isascii(), "delimiter", rule, delimiter)
            require(not set(delimiter) & set("\r\n"), "delimiter", "be what stands between fields of a line", delimiter)
        is_quote = quote in (None, "", "auto") or (len(quote) == 1 and quote.isascii())
        require(is_quote, "quote", "be one ASCII character, or None for no quoting", quote)
        known = self.encoding is None or _is_text_encoding(self.encoding)
        require(known, "encoding", "be one that Python knows, such as 'latin-1'", self.encoding)
        are_words = words is None or (isinstance(words, tuple) and all(isinstance(word, str) for word in words))
        require(are_words, "na_values", "be a tuple of words such as ('NA', 'null')", words)
        is_character = len(self.sequence_separator) == 1 and self.sequence_separator.isascii()
        rule = "be one ASCII character such as ' ' or '|'"
        require(is_character, "sequence_separator", rule, self.sequence_separator)
        if self.sequence_separator != " " and not self.sequence:
            raise OptionError(
                "sequence_separator needs sequence=True; add it, or leave the separator out",
                option="sequence_separator",
                mentions=("sequence=True",),
            )

    def _check_repeats(self) -> None:
        if self.repeats is None:
            return
        require(self.repeats in REPEATS, "repeats", f"be one of {', '.join(REPEATS)}", self.repeats)
        chooses_time = self.keep_timestamps and self.orders_repeats
        if self.min_rating is None and not (chooses_time or self.has_weights):
            raise OptionError(
                f"repeats {self.repeats!r} chooses which rating is compared with min_rating, and there is none; "
                "give min_rating, or leave repeats out",
                mentions=("min_rating",),
            )

    def _check_signals(self) -> None:
        if self.weight_column is not None and self.rating_weights:
            raise OptionError(
                f"weights come from one column, got weight_column {self.weight_column!r} and rating_weights; leave one "
                "of them out",
                mentions=("weight_column", "rating_weights"),
            )
        require(self.weight_column != "", "weight_column", "name a column; leave it out for none", "")
        if self.weight_transform is not None:
            rule = f"be one of {', '.join(TRANSFORMS)}"
            require(self.weight_transform in TRANSFORMS, "weight_transform", rule, self.weight_transform)
            if not self.has_weights:
                raise OptionError(
                    f"weight_transform {self.weight_transform!r} needs weights; give weight_column, rating_weights or "
                    "half_life, or leave it out",
                    option="weight_transform",
                )
        if self.half_life is not None:
            valid = _SECOND < check_number("half_life", self.half_life, example=30) < math.inf
            rule = "be a finite number of days above 0.00001, about a second, such as 30"
            require(valid, "half_life", rule, self.half_life)
            self._need_column("timestamp_column", "times", "half_life")
        if self.dislike_below is not None:
            self._check_dislikes(self.dislike_below)

    def _check_dislikes(self, bound: float) -> None:
        finite = math.isfinite(check_number("dislike_below", bound, example=3))
        require(finite, "dislike_below", "be finite, such as 3", bound)
        self._need_column("rating_column", "ratings", "dislike_below")
        if self.min_rating is not None and bound > self.min_rating:
            raise OptionError(
                f"dislike_below must be at most min_rating, got {bound:g} and {self.min_rating:g}: a rating between "
                "them would be both; lower it",
                option="dislike_below",
            )
        if self.repeats not in (None, "max"):
            raise OptionError(
                f"dislike_below takes every row by itself, so repeats must be left out, got {self.repeats!r}",
                mentions=("repeats",),
            )

    def _need_column(self, column: str, content: str, option: str) -> None:
        if getattr(self, column) == "":
            raise OptionError(f"{column} must name {content} for {option}, got ''", option=column, mentions=(option,))

    def _check_at_least(self, name: str, value: int, least: int) -> None:
        require(check_number(name, value, example=least) >= least, name, f"be at least {least}", value)

    @property
    def orders_repeats(self) -> bool:
        """Whether one of the rows of a repeated pair decides for all."""
        return self.repeats in ("first", "last")

    @property
    def reads_times(self) -> bool:
        """Whether a column of times is read where there is one."""
        orders = self.orders_repeats and self.timestamp_column != ""
        return self.keep_timestamps or self.half_life is not None or orders

    @property
    def reads_ratings(self) -> bool:
        """Whether a row needs a rating."""
        return self.min_rating is not None or self.dislike_below is not None or self.rating_weights

    @property
    def has_weights(self) -> bool:
        """Whether interactions have weights."""
        return self.weight_column is not None or self.rating_weights or self.half_life is not None

    def without_signals(self) -> ReadOptions:
        """Return the options for held-out interactions, which are not weighted; dislikes are left out of them.

        >>> ReadOptions(half_life=30, dislike_below=3).without_signals().min_rating
        3
        """
        least = self.min_rating if self.dislike_below is None or self.min_rating is not None else self.dislike_below
        return replace(
            self, min_rating=least, weight_column=None, rating_weights=False, weight_transform=None, half_life=None,
            dislike_below=None, repeats=self.repeats if self.min_rating is not None else None,
        )  # fmt: skip

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
    has_year = any(directive in time_format.replace("%%", "") for directive in _YEARS)
    require(has_year, "time_format", "name at least the year (%Y)", time_format)
    try:
        datetime.strptime("", time_format)  # noqa: DTZ007 - raises, always
    except (ValueError, re.error) as error:
        if not str(error).startswith("time data"):
            raise OptionError(
                f"time_format {time_format!r} is not valid ({error}); {remedy}", mentions=("time_format",)
            ) from error

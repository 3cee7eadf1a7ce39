"""Split the rows of a file into training, validation and test files: which row goes where.

A part is chosen for each pair of a user and an item, never for a row by itself, so no pair is in two parts. The rows of
a pair, repeats included, go together, with one exception: a split by time parts a file at moments, so a row that
repeats a pair of an earlier part after the cut goes to no part (it would be a training interaction in the test file)
and is counted. The time of a pair is that of its first row. Rows that the reader cannot use, that are rated too low or
are outside of the k-core go to no part either.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from nestrec.arguments import require
from nestrec.arrays import BoolArray, Float64Array, Int32Array, Int64Array, UInt8Array
from nestrec.data.id_index import IdIndex
from nestrec.data.interactions import Interactions
from nestrec.data.read_options import ReadOptions
from nestrec.data.read_report import ReadReport
from nestrec.data.readers.batch import Batch, read_usable_batches
from nestrec.data.readers.open_reader import open_reader
from nestrec.data.reading import Progress, read_interactions
from nestrec.data.rejections import RejectionLog
from nestrec.data.splitting import LARGEST_SEED, LeaveLastOut, RandomSplit, Split, TimeSplit, select_interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, OptionError

PARTS = ("train", "validation", "test")
TRAIN, VALIDATION, TEST = range(3)
LATER_REPEAT, LEFT_OUT = 3, 4  # rows that go to no part

By = Literal["random", "time", "leave-last-out"]


@dataclass(frozen=True)
class FileSplit:
    """How to split a file into training, validation and test files.

    >>> FileSplit(test_fraction=0.2, validation_fraction=0).splits()
    (RandomSplit(fraction=0.2, seed=0), None)
    """

    by: By = "random"
    """random: a share of the interactions, at least one of each user left; time: the latest ones; leave-last-out: the
    last one of every user is for testing, the one before it for validation."""
    test_fraction: float | None = None
    """Share of the interactions for testing; None: 0.2. Not with `at` and leave-last-out."""
    validation_fraction: float | None = None
    """Share of all interactions for validation; 0: none; None: 0.1."""
    at: float | None = None
    """The moment, in seconds, from which on interactions are for testing; for a split by time."""
    seed: int = 0
    """Of the random choice; that of the validation part takes the seed after it."""

    def __post_init__(self) -> None:
        """Check the values; raise OptionError with the rule."""
        if self.at is not None and (self.by != "time" or self.test_fraction is not None):
            raise OptionError(
                f"at {self.at:.15g} is for a split by time, in place of test_fraction; leave one of them out",
                mentions=("test_fraction",),
            )
        if self.by == "leave-last-out" and (self.test_fraction is not None or self.validation_fraction):
            raise OptionError(
                "a leave-last-out split tests on the last interaction of every user, so it takes neither test_fraction "
                "nor a validation_fraction other than 0 (no validation part); leave them out",
                mentions=("test_fraction", "validation_fraction"),
            )
        for name, value in (("test_fraction", self.test_fraction), ("validation_fraction", self.validation_fraction)):
            inside = value is None or 0 < value < 1 or (value == 0 and name == "validation_fraction")
            require(inside, name, "be between 0 and 1", value)
        if self._test_fraction + self._validation_fraction >= 1:
            raise OptionError(
                f"test_fraction {self._test_fraction:g} and validation_fraction {self._validation_fraction:g} leave "
                "nothing to train on; their sum must be below 1",
                mentions=("test_fraction", "validation_fraction"),
            )
        self.splits()

    def splits(self) -> tuple[Split, Split | None]:
        """Return what parts the test interactions off, and then the validation interactions off the rest."""
        validates = self.validation_fraction != 0
        share = self._validation_fraction / (1 - self._test_fraction)  # of what the test part leaves
        if self.by == "leave-last-out":
            return LeaveLastOut(), LeaveLastOut() if validates else None
        if self.by == "time":
            test = TimeSplit(at=self.at) if self.at is not None else TimeSplit(self._test_fraction)
            return test, TimeSplit(share) if validates else None
        next_seed = self.seed + 1 if self.seed < LARGEST_SEED else 0
        return RandomSplit(self._test_fraction, self.seed), RandomSplit(share, next_seed) if validates else None

    @property
    def needs_times(self) -> bool:
        """Whether rows need a time."""
        return self.by != "random"

    @property
    def _test_fraction(self) -> float:
        if self.by == "leave-last-out" or self.at is not None:
            return 0.0
        return 0.2 if self.test_fraction is None else self.test_fraction

    @property
    def _validation_fraction(self) -> float:
        if self.by == "leave-last-out":
            return 0.0
        return 0.1 if self.validation_fraction is None else self.validation_fraction


@dataclass(frozen=True, eq=False)
class Assignment:
    """Where the rows of a file go."""

    report: ReadReport
    format: str  # of the reader
    interactions: Interactions  # that take part
    pair_codes: UInt8Array  # (n_interactions,) TRAIN, VALIDATION or TEST
    row_codes: UInt8Array  # (n_rows,) of the rows that the reader can use, in its order

    def part(self, code: int) -> Interactions:
        """Return the interactions of one part, with the ids of all."""
        return select_interactions(self.interactions, self.pair_codes == code)

    def n_rows(self, code: int) -> int:
        """Count the rows of a part, or those left out for a reason."""
        return int(np.count_nonzero(self.row_codes == code))


def assign_parts(path: str, split: FileSplit, options: ReadOptions, progress: Progress | None = None) -> Assignment:
    """Read a file twice and return where its rows go. Memory: some 20 bytes a row, independent of other columns.

    Raises DataError where the file cannot be read or a part would be empty, OptionError where an option does not fit.
    """
    if options.sequence:
        raise OptionError("rows that hold sequences of items cannot be split; write one interaction per row first")
    if options.repeats not in (None, "max"):
        raise OptionError(
            f"repeats {options.repeats!r} joins several rows, and a file is divided row by row; leave repeats out, "
            "and give it when you train on the parts"
        )
    options = replace(options, keep_timestamps=split.needs_times)
    interactions = read_interactions(path, options=options, progress=progress)
    report = interactions.report
    assert report is not None  # these were read from a source
    rows = _Rows.read(path, options)
    pairs = rows.pairs(interactions)
    if split.needs_times:
        interactions = _assign_first_times(interactions, pairs, rows.times)
    pair_codes, cuts = _assign_pair_codes(interactions, split)
    row_codes = np.where(pairs < 0, LEFT_OUT, pair_codes[pairs]).astype(np.uint8)
    if cuts is not None:
        own = np.searchsorted(cuts, rows.times, side="right")  # 0 before all cuts; equal times are after the cut
        own = own if len(cuts) == 2 else own * TEST
        row_codes[(row_codes <= TEST) & (own != row_codes)] = LATER_REPEAT
    return Assignment(report, rows.format, interactions, pair_codes, row_codes)


@dataclass
class _Rows:
    """The usable rows of a file, in order: the ids as indices of vocabularies of their own."""

    format: str
    users: tuple[IdIndex, Int32Array]
    items: tuple[IdIndex, Int32Array]
    times: Float64Array  # (n,), or (0,) where none are needed
    is_rated_enough: BoolArray  # (n,)

    @classmethod
    def read(cls, path: str, options: ReadOptions) -> _Rows:
        """Read ids, times and ratings."""
        reader, name = open_reader(path, options)
        users, items = IdIndex(), IdIndex()
        user_parts, item_parts, times, enough = [], [], [np.empty(0)], []
        with closing(reader):
            for batch in read_usable_batches(reader, RejectionLog(name, strict=False)):
                user_parts.append(users.add(batch.users))
                item_parts.append(items.add(batch.items))
                if batch.times is not None:
                    times.append(batch.times.copy())
                enough.append(_find_rated_enough(batch, options.min_rating))
        together = np.concatenate
        return cls(
            reader.format, (users, together(user_parts)), (items, together(item_parts)), together(times),
            together(enough),
        )  # fmt: skip

    def pairs(self, interactions: Interactions) -> Int64Array:
        """Return the place of each row's pair among the interactions, -1 where it takes no part; (n,)."""
        users = _map_to_indices(*self.users, interactions.users)
        items = _map_to_indices(*self.items, interactions.items)
        keys, pairs = _build_pair_keys(interactions), users.astype(np.int64) * interactions.n_items + items
        places = np.minimum(np.searchsorted(keys, pairs), len(keys) - 1)
        found = (users >= 0) & (items >= 0) & (keys[places] == pairs) & self.is_rated_enough
        return np.where(found, places, -1)


def _find_rated_enough(batch: Batch, least: float | None) -> BoolArray:
    if least is None or batch.ratings is None:
        return np.ones(len(batch.users), dtype=np.bool_)
    return batch.ratings >= least


def _map_to_indices(index: IdIndex, entries: Int32Array, vocabulary: Vocabulary) -> Int32Array:
    """Return the index of each row's id, -1 where it takes no part."""
    own, ranks = index.finish()
    rows: Int32Array = vocabulary.index_of(own.ids, unknown="mark")[ranks][entries]
    return rows


def _build_pair_keys(interactions: Interactions) -> Int64Array:
    """Return one ascending int64 for each pair."""
    keys = np.repeat(np.arange(interactions.n_users, dtype=np.int64), np.diff(interactions.indptr))
    keys *= interactions.n_items
    keys += interactions.indices
    return keys


def _assign_first_times(interactions: Interactions, pairs: Int64Array, times: Float64Array) -> Interactions:
    """Return the interactions with the time of the first row of each."""
    first = np.full(interactions.n_interactions, np.inf)
    kept = pairs >= 0
    np.minimum.at(first, pairs[kept], times[kept])
    return replace(interactions, timestamps=first)


def _assign_pair_codes(interactions: Interactions, split: FileSplit) -> tuple[UInt8Array, list[float] | None]:
    """Return the part of each pair and, for a split by time, the moments at which validation and test begin."""
    test, validation = split.splits()
    rest, held_out = test.split(interactions)
    keys, codes = _build_pair_keys(interactions), np.zeros(interactions.n_interactions, dtype=np.uint8)
    codes[np.searchsorted(keys, _build_pair_keys(held_out))] = TEST
    cuts = [test.cut(interactions)] if isinstance(test, TimeSplit) else None
    if validation is not None:
        codes[np.searchsorted(keys, _build_pair_keys(_split_validation(validation, rest)))] = VALIDATION
        if cuts is not None and isinstance(validation, TimeSplit):
            cuts.insert(0, validation.cut(rest))
    return codes, cuts


def _split_validation(validation: Split, rest: Interactions) -> Interactions:
    try:
        return validation.split(rest)[1]
    except DataError as error:
        raise DataError(
            f"no validation part can be taken ({error}); do without one: validation_fraction=0",
            mentions=("validation_fraction=0", *error.mentions),
        ) from error

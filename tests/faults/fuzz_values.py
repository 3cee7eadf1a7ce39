"""Mutated JSON, dictionaries, times and ratings: read rightly, counted or refused, and never anything else.

`run(n, seed)` reads `n` inputs in this process and raises AssertionError where a row is in no count, where compiled
code and Python disagree, or where anything but an error of the library comes out. Nothing touches the disk.
"""

from __future__ import annotations

import json
import math
import random
import warnings
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np

from nestrec.data.id_index import IdIndex, TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.arrays import ArraysReader
from nestrec.data.readers.batch import Reader
from nestrec.data.readers.fields import parse_number
from nestrec.data.readers.json_lines import JsonLinesReader
from nestrec.data.readers.source_columns import RatingColumn
from nestrec.data.readers.times import TimeColumn
from nestrec.data.rejections import RejectionLog
from nestrec.errors import NestrecError

OPTIONS = [
    ReadOptions(),
    ReadOptions(min_rating=2),
    ReadOptions(keep_timestamps=True),
    ReadOptions(min_rating=2, keep_timestamps=True, time_format="%d/%m/%Y"),
    ReadOptions(keep_timestamps=True, time_format="ms"),
    ReadOptions(sequence=True),
]
FORMATS = [None, None, "%d/%m/%Y", "%d %b %Y %H:%M:%S", "%Y%m%d", "%Y-%m-%dT%H:%M:%S.%f%z", "%I:%M %p %A %d %B %y", "s",
           "ns"]  # fmt: skip
TIMES = [
    "2021-01-31", "2021-01-31 10:15:00 UTC", "2021-01-31T10:15:00.123Z", "1612088100", "1612088100123", "-1.5e3",
    "31/01/2021", "31 Jan 2021 10:15:00", "20210131", "2021-01-31T10:15:00.5+0100", "10:15 PM Sunday 31 January 21", "",
    "null", "NaN", "9999-12-31 23:59:59.999999", "0001-01-01", "2016-12-31T23:59:60Z",
]  # fmt: skip
VALUES: list[Any] = [
    0, 1, -1, 7, 2**53, 2**63, 2**64, -(2**63), 1.0, 1.5, -0.0, 1e300, math.nan, math.inf, True, None, "", "a", "é",
    "\ud800", "007", "4,5", "true", [1], {}, b"x", b"\xff", Decimal("1.5"), date(2021, 1, 31), 10**400,
    datetime(2021, 1, 31, tzinfo=UTC), np.datetime64("NaT"), np.datetime64("2021"), *TIMES,
]  # fmt: skip
LETTERS = b'{}[]",:\\ \n\r\t0123456789.-+eEtfnuNI\x00\xff\xc3\xa9/TZ'


class MemorySource:
    """The bytes of a file that is not there."""

    def __init__(self, contents: bytes) -> None:
        self.path, self.size, self.position = Path("fuzz"), len(contents), 0
        self._contents = contents

    def readinto(self, view: memoryview) -> int:
        n_bytes = min(len(view), self.size - self.position)
        view[:n_bytes] = self._contents[self.position : self.position + n_bytes]
        self.position += n_bytes
        return n_bytes

    def close(self) -> None:
        """Free nothing."""


def run(n: int, seed: int) -> dict[str, int]:
    """Return how many inputs were read, refused and, among the rows, kept and left out."""
    generator = random.Random(seed)
    counts: Counter[str] = Counter()
    targets: list[Callable[[random.Random, Counter[str]], object]] = [_json, _json, _arrays, _times, _ratings]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for number in range(n):
            target = targets[number % len(targets)]
            try:
                target(generator, counts)
                counts["read"] += 1
            except NestrecError as error:
                counts["refused"] += 1
                if "\n" in str(error):
                    raise AssertionError(f"{target.__name__}: more than one line: {error!r}") from error
            except Exception as error:
                raise AssertionError(f"{target.__name__}, input {number} of seed {seed}: {error!r}") from error
    return dict(counts)


def _json(generator: random.Random, counts: Counter[str]) -> None:
    rows = [_object(generator) for _ in range(generator.randrange(6))]
    layout = generator.randrange(4)
    texts = [json.dumps(row, indent=generator.choice([None, None, 1]) if layout > 1 else None) for row in rows]
    text = [b"\n", b",\n", b",", b"\n"][layout].join(text.encode("utf-8", "surrogatepass") for text in texts)
    contents = b"[" + text + b"]" if layout in (1, 2) else text
    source: Any = MemorySource(_mutated(contents, generator))
    _account(JsonLinesReader(source, generator.choice(OPTIONS)), counts)


def _arrays(generator: random.Random, counts: Counter[str]) -> None:
    size = generator.randrange(5)
    columns = {name: _column(size, generator) for name in ("user", "item", "rating", "time", "click")}
    options = generator.choice(OPTIONS[:-1])
    _account(ArraysReader(columns, "fuzz", options), counts)


def _times(generator: random.Random, counts: Counter[str]) -> None:
    """Texts parsed together, some by compiled code, are what each is alone."""
    texts = [_mutated_text(generator.choice(TIMES), generator) for _ in range(generator.randrange(1, 5))]
    time_format = generator.choice(FORMATS)
    together = TimeColumn(time_format, "fuzz", "time").parse_text(TextIds.from_strings(texts), str)
    alone = [
        TimeColumn(time_format, "fuzz", "time")._parse_strings([text], str)[0] if text else math.nan for text in texts
    ]
    np.testing.assert_array_equal(together, alone)
    counts["kept"] += int(np.isfinite(together).sum())


def _ratings(generator: random.Random, counts: Counter[str]) -> None:
    texts = [_mutated_text(generator.choice(["4.5", "-1", "1e3", "true", "4,5", "12345678901234567890", ""]), generator)
             for _ in range(4)]  # fmt: skip
    parsed = RatingColumn("fuzz", "rating").parse_text(TextIds.from_strings(texts), str)
    for text, value in zip(texts, parsed.tolist(), strict=True):
        expected = {"true": 1.0, "false": 0.0}.get(text.strip().lower(), parse_number(text))
        assert value == expected or math.isnan(value) == math.isnan(expected) is True, text
    counts["kept"] += int(np.isfinite(parsed).sum())


def _account(reader: Reader, counts: Counter[str]) -> None:
    """Read all; each row must be kept or counted, and each id numbered."""
    rejections, users, items = RejectionLog("fuzz", strict=False), IdIndex(), IdIndex()
    n_read = n_kept = 0
    for batch in reader.batches(rejections):
        assert len(batch.users) == len(batch.items)
        for values in (batch.ratings, batch.times):
            assert values is None or (len(values) == len(batch.users) and np.isfinite(values).all())
        users.add(batch.users)
        items.add(batch.items)
        n_read, n_kept = n_read + batch.n_read, n_kept + len(batch.users)
    users.finish()
    items.finish()
    assert n_read == n_kept + sum(rejections.counts.values()), (n_read, n_kept, rejections.counts)
    for shown in rejections.examples.values():
        str(shown).encode("utf-8")
    counts["kept"] += n_kept
    counts["left out"] += n_read - n_kept


def _object(generator: random.Random) -> Any:
    if generator.random() < 0.1:
        return generator.choice([1, "x", [], None])
    plain = [value for value in VALUES if not isinstance(value, (bytes, Decimal, date, np.datetime64))]
    row = {"user": generator.randrange(9), "item": generator.choice("abc"), "rating": 3, "timestamp": "2021-01-31"}
    for _ in range(generator.randrange(3)):
        row[generator.choice([*row, "other", "click"])] = generator.choice(plain)
    for key in generator.sample(sorted(row), generator.randrange(2)):
        del row[key]
    return row


def _column(size: int, generator: random.Random) -> Any:
    kind = generator.randrange(6)
    if kind == 0:
        return [generator.choice(VALUES) for _ in range(size)]
    if kind == 1:
        return np.array(
            [generator.randrange(2**40) for _ in range(size)], dtype=generator.choice(["i8", "f8", "u8", "f4"])
        )
    if kind == 2:
        unit = generator.choice(["Y", "D", "s", "ms", "us", "ns", "ps"])
        return np.array(
            [generator.choice(["NaT", "2021-01-31", "1969-12-31"]) for _ in range(size)], dtype=f"M8[{unit}]"
        )
    return [generator.choice(["1", "2.5", "a", *TIMES[:4]]) for _ in range(size)] if kind == 3 else list(range(size))


def _mutated(contents: bytes, generator: random.Random) -> bytes:
    result = bytearray(contents)
    for _ in range(generator.choice([0, 1, 1, 2, 8])):
        place = generator.randrange(len(result) + 1)
        action = generator.randrange(4)
        if action == 0:
            result[place:place] = bytes([generator.choice(LETTERS)])
        elif action == 1:
            del result[place : place + generator.choice([1, 1, 5])]
        elif action == 2:
            result[place : place + 1] = bytes([generator.choice(LETTERS)])
        else:
            result[place:place] = result[: generator.randrange(len(result) + 1)]
    return bytes(result)


def _mutated_text(text: str, generator: random.Random) -> str:
    return _mutated(text.encode(), generator).decode("utf-8", "replace") if generator.random() < 0.7 else text

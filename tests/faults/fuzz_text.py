"""Mutated delimited and adjacency text through the readers, many inputs in one process.

`run` counts how inputs ended: `kept` (rows came out), `empty` and `refused` (an error of this project). It raises on
any other exception, on a row that is in no count, on an offset out of range and on an input that takes seconds.
"""

from __future__ import annotations

import random
import time
from typing import Any, cast

from nestrec.data.formats import FORMATS
from nestrec.data.id_index import IdIndex, TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch, Reader, read_usable_batches
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.foreign_files import refuse_stand_ins
from nestrec.data.readers.text_format import detect_text_format
from nestrec.data.rejections import RejectionLog
from nestrec.errors import NestrecError

_SEEDS = (
    b'user_id,item_id,rating,timestamp\n1,"a ""b"" c",4.5,100\n2,b,3,200\n3,"x\ny",1,300\n4,d,,400\n',
    b'user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t"a\t5\t1\n2\tb"\t4\t2\n3\tc\tx\t3\n',
    b"sep=;\r\nuser;item;rating\r\n1;2;3\r\n\xef\xbb\xbfuser;item;rating\r\n4;5;6\r\n",
    b"# made by hand\n1 2 3 4\n2 5\n3 1 2 7 8 9\n4\n",
    b"1::10::5::978300760\n1::11::3::978302109\n2::10::4::978301968\n",
    b'user,item\nNA,null\n\xc3\xa9\xff,1\n a , b \n"c"d,e\nf,g,h\n"u,1\n2,3\n',
    b"0 1 2 3 5 8\n1 2 3\n2 10 11 12 13 14 15\n3 1\n",
    b"user,item,rating\n1,a b c,5\n2,\"['a', 'b']\",4\n3,,3\n4,[1 2],2\n",
)
_BYTES = b'",;|\t \r\n\\:#%[]\x00\xef\xbb\xbf\xff0123456789ab.-'
_WORDS = (
    b'""',
    b'"\n',
    b',"',
    b'",',
    b"\r\n",
    b"\n\n",
    b"::",
    b"NULL",
    b"user,item\n",
    b"\xef\xbb\xbf",
    b" \t ",
    b'""""',
)
_OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {},
    {"user_column": 1, "item_column": 2},
    {"user_column": 1, "item_column": 2, "rating_column": 3, "min_rating": 2.0},
    {"user_column": 1, "item_column": 2, "delimiter": " "},
    {"quote": None},
    {"quote": '"', "delimiter": "\t", "user_column": 1, "item_column": 2},
    {"sequence": True},
    {"na_values": ()},
    {"header": False, "user_column": 1, "item_column": 2, "delimiter": ","},
    {"keep_timestamps": True},
    {"delimiter": "::", "user_column": 1, "item_column": 2, "quote": "'"},
)
_LONGEST_SECONDS = 20.0  # a few milliseconds are usual; a busy machine may stop a process for seconds


class _MemorySource:
    """Bytes in place of an opened file."""

    size: int | None
    is_packed = False

    def __init__(self, text: bytes) -> None:
        self.path, self.size, self.position = "fuzzed", len(text), 0
        self._text = text

    def head(self, n_bytes: int) -> bytes:
        return self._text[:n_bytes]

    def readinto(self, view: memoryview) -> int:
        n_bytes = min(len(view), len(self._text) - self.position)
        view[:n_bytes] = self._text[self.position : self.position + n_bytes]
        self.position += n_bytes
        return n_bytes

    def close(self) -> None:
        return None


def run(n: int, seed: int) -> dict[str, int]:
    """Read n mutated inputs; return how many ended in which way."""
    chance = random.Random(seed)
    counts = {"kept": 0, "empty": 0, "refused": 0}
    options = [ReadOptions(**given) for given in _OPTIONS]
    for text in _SEEDS:  # compiles what is called below, outside of the time limit
        for given in options:
            _read(text, given)
    for _ in range(n):
        text, given = mutate(chance), chance.choice(options)
        began = time.perf_counter()
        try:
            counts[_read(text, given)] += 1
        except Exception as error:
            raise AssertionError(f"{text!r} with {given!r}: {error!r}") from error
        if time.perf_counter() - began > _LONGEST_SECONDS:
            raise AssertionError(f"{text!r} with {given!r} took {time.perf_counter() - began:.1f} s")
    return counts


def mutate(chance: random.Random) -> bytes:
    """Return a seed with some bytes changed, removed, put in, repeated, or mixed with another seed."""
    text = bytearray(chance.choice(_SEEDS))
    for _ in range(1 + int(chance.expovariate(0.4))):
        place, kind = chance.randrange(len(text) + 1), chance.randrange(7)
        if kind == 0:
            text[place : place + 1] = bytes([chance.choice(_BYTES)])
        elif kind == 1:
            text[place:place] = chance.choice(_WORDS)
        elif kind == 2:
            del text[place : place + chance.randrange(1, 9)]
        elif kind == 3:
            text[place:place] = text[place : place + chance.randrange(40)] * chance.randrange(1, 4)
        elif kind == 4:
            text[place:] = chance.choice(_SEEDS)[place:]
        elif kind == 5:
            text[place:place] = bytes([chance.randrange(256)]) * chance.randrange(1, 12)
        else:
            text[place:] = text[place:] + chance.choice(_SEEDS)
    return bytes(text[:4096])


def _read(text: bytes, options: ReadOptions) -> str:
    rejections = RejectionLog("fuzzed", strict=False)
    users, items = IdIndex(), IdIndex()
    n_read = n_kept = 0
    try:
        for batch in read_usable_batches(_open(text, options), rejections):
            _check_ranges(batch)
            users.add(batch.users)
            items.add(batch.items)
            n_read, n_kept = n_read + batch.n_read, n_kept + len(batch.users)
        if n_kept:
            users.finish()
            items.finish()
    except NestrecError as error:
        if "\n" in str(error):
            raise AssertionError("an error of several lines") from error
        return "refused"
    if n_read != n_kept + sum(rejections.counts.values()):
        raise AssertionError(f"{n_read} rows were read, {n_kept} kept and {rejections.counts} left out")
    return "kept" if n_kept else "empty"


def _open(text: bytes, options: ReadOptions) -> Reader:
    refuse_stand_ins("fuzzed", text)
    format_name = detect_text_format(text, is_whole=True, options=options, name="fuzzed")
    source = cast("ByteSource", _MemorySource(text))
    opened: Reader = FORMATS["csv" if format_name == "jsonl" else format_name].open(source, options)
    return opened


def _check_ranges(batch: Batch) -> None:
    for ids in (batch.users, batch.items):
        if isinstance(ids, TextIds) and len(ids):
            size = len(ids.buffer)
            if not (ids.starts.min() >= 0 and ids.ends.max() <= size and (ids.starts <= ids.ends).all()):
                raise AssertionError("an id lies outside of its buffer")
    if len(batch.users) != len(batch.items):
        raise AssertionError("users and items differ in number")

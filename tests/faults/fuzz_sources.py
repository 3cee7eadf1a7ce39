"""Mutated files of every packed and binary kind, and tables: each is read with every row counted, or refused.

A crash of the process is found too: files are read in child processes, and a child that dies names its input.
`python -m tests.faults.fuzz_sources N SEED` runs N inputs and prints what became of them.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import multiprocessing
import random
import sqlite3
import sys
import tempfile
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from nestrec.data.read_options import ReadOptions
from nestrec.errors import NestrecError
from tests.data.reports import read_with_report

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_SECONDS = 240  # that one input may take; the first ones may have to compile kernels
_PER_CHILD = 200  # inputs of one child process
_CRASHED = "crashed"

Made = tuple[str, bytes]


def run(n: int, seed: int) -> dict[str, int]:
    """Read `n` mutated inputs; return how many were read, refused, or crashed another library's own process.

    Raises AssertionError with the input's seed where a row is in no count, an exception is not nestrec's, or an input
    hangs; and for a crash, unless it is one of Parquet or DuckDB files, which duckdb parses (counted as `crashed`).
    """
    counts: Counter[str] = Counter()
    context = multiprocessing.get_context("spawn")
    first = 0
    while first < n:
        last = min(n, first + _PER_CHILD)
        queue: Any = context.Queue()
        child = context.Process(target=_child, args=(queue, seed, first, last))
        child.start()
        first = _collect(child, queue, counts, first, last, seed)
    return dict(counts)


def _collect(child: Any, queue: Any, counts: Counter[str], first: int, last: int, seed: int) -> int:
    """Count the results of a child; return the number of the input to go on with."""
    place = first
    while place < last:
        result = _next_result(child, queue)
        if result is None:
            name = _input(seed, place)[0]
            child.kill()
            child.join()
            assert child.exitcode != -9, f"input {place} of seed {seed} ({name}) hangs"
            assert name in ("parquet", "duckdb"), (
                f"input {place} of seed {seed} ({name}) ends the process: {child.exitcode}"
            )
            counts[_CRASHED] += 1
            return place + 1
        assert result in ("read", "refused"), result
        counts[result] += 1
        place += 1
    child.join()
    return place


def _next_result(child: Any, queue: Any) -> str | None:
    """Return the next result of a child, or None where it died or takes too long."""
    from queue import Empty

    for _ in range(_SECONDS):
        try:
            return str(queue.get(timeout=1))
        except Empty:
            if not child.is_alive() and queue.empty():
                return None
    return None


def _child(queue: Any, seed: int, first: int, last: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for place in range(first, last):
            name, contents = _input(seed, place)
            queue.put(_outcome(Path(folder) / "input", contents, f"input {place} of seed {seed} ({name})"))


def _outcome(path: Path, contents: bytes, what: str) -> str:
    path.write_bytes(contents)
    try:
        interactions, report = read_with_report(path, options=ReadOptions(threads=1, memory_limit_mb=256))
    except NestrecError:
        return "refused"
    except BaseException as error:
        return f"{what}: {type(error).__module__}.{type(error).__name__}: {error}"
    if report.n_rows != report.n_kept + sum(report.rejected.values()) or report.n_kept != interactions.n_interactions:
        return f"{what}: rows are in no count: {report}"
    return "read"


def _input(seed: int, place: int) -> Made:
    random_ = random.Random(seed * 1_000_003 + place)
    name = random_.choice(sorted(_MAKERS))
    return name, _mutated(_MAKERS[name](), random_)


def _mutated(contents: bytes, random_: random.Random) -> bytes:
    """Change, remove, insert, repeat or cut off some bytes."""
    data = bytearray(contents)
    for _ in range(random_.choice((1, 1, 1, 2, 4, 16))):
        if not data:
            break
        place, size = random_.randrange(len(data)), random_.choice((1, 1, 2, 4, 8, 64))
        match random_.randrange(7):
            case 0 | 1:
                data[place] ^= 1 << random_.randrange(8)
            case 2:
                data[place : place + size] = random_.randbytes(size)
            case 3:
                del data[place : place + size]
            case 4:
                data[place:place] = random_.randbytes(size)
            case 5:
                data[place:place] = data[place : place + size]
            case 6:
                del data[place:]
    return bytes(data)


def _columns() -> dict[str, list[Any]]:
    users = [f"u{row % 7}" for row in range(60)]
    return {
        "user": users,
        "item": [row * 37 % 23 for row in range(60)],
        "rating": [float(row % 5) for row in range(60)],
    }


def _text() -> bytes:
    columns = _columns()
    rows = zip(*columns.values(), strict=True)
    return ("user,item,rating\n" + "".join(f"{user},{item},{rating}\n" for user, item, rating in rows)).encode()


def _zip() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.csv", _text())
    return packed.getvalue()


def _parquet(**options: Any) -> bytes:
    packed = io.BytesIO()
    pq.write_table(pa.table(_columns()), packed, **options)
    return packed.getvalue()


def _arrow(kind: str) -> bytes:
    packed, table = io.BytesIO(), pa.table(_columns())
    make = pa.ipc.new_file if kind == "file" else pa.ipc.new_stream
    with make(packed, table.schema) as writer:
        writer.write_table(table, max_chunksize=20)
    return packed.getvalue()


def _database(connect: Callable[[str], Any], types: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        connection = connect(str(path))
        connection.execute(f"CREATE TABLE clicks ({types})")
        connection.executemany("INSERT INTO clicks VALUES (?, ?, ?)", list(zip(*_columns().values(), strict=True)))
        connection.commit()
        connection.close()
        return path.read_bytes()


def _cached(make: Callable[[], bytes]) -> Callable[[], bytes]:
    kept: list[bytes] = []

    def get() -> bytes:
        if not kept:
            kept.append(make())
        return kept[0]

    return get


_MAKERS: dict[str, Callable[[], bytes]] = {
    name: _cached(make)
    for name, make in {
        "text": _text,
        "gzip": lambda: gzip.compress(_text(), mtime=0),
        "zstd": lambda: zstd.compress(_text()),
        "bzip2": lambda: bz2.compress(_text()),
        "xz": lambda: lzma.compress(_text()),
        "zip": _zip,
        "parquet": lambda: _parquet(compression="zstd"),
        "parquet plain": lambda: _parquet(compression="none", use_dictionary=False),
        "packed parquet": lambda: gzip.compress(_parquet(), mtime=0),
        "arrow file": lambda: _arrow("file"),
        "arrow stream": lambda: _arrow("stream"),
        "sqlite": lambda: _database(sqlite3.connect, "user TEXT, item INTEGER, rating REAL"),
        "duckdb": lambda: _database(duckdb.connect, "user TEXT, item INTEGER, rating DOUBLE"),
    }.items()
}


if __name__ == "__main__":
    sys.stdout.write(f"{run(int(sys.argv[1]), int(sys.argv[2]))}\n")

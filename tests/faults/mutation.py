"""Small files of every kind, and random changes to their bytes."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple


class Seed(NamedTuple):
    """A file to begin from."""

    suffix: str
    content: bytes
    is_text: bool  # lines, of which each must be in a count


TOKENS = (
    b'"', b'""', b"'", b"\r", b"\r\n", b"\n", b"\n\n", b"\0", b",", b",,", b"\t", b";", b"|", b"::", b" ", b"  ",
    b"NaN", b"nan", b"inf", b"-inf", b"1e400", b"-1", b"0", b"1.0", b"1.50", b"9" * 25, b"18446744073709551616",
    b"0" * 400, b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xff\xfe", b"#", b"%", b"%%MatrixMarket", b"{",
    b"}", b"[", b"]", b"[" * 200, b":", b"null", b"true", b'"\\ud800"', b"\\", b"\\N", b"NULL", b"NA", b"None",
    b"user_id", b"item_id", b"rating", b"timestamp", b"user_id:token", b"2020-01-02", b"2020-01-02 03:04:05 UTC",
    b"2020-13-45", b"1577836800", b"a" * 300, b"\xe2\x80\xa8", b"\x1a", b"PAR1", b"\x1f\x8b",
)  # fmt: skip


def seeds() -> tuple[Seed, ...]:
    """Return small good files of every format."""
    rows = [(f"u{n % 5}", f"i{n * 7 % 11}", n % 5 + 1, 1_577_836_800 + n) for n in range(12)]
    header = ("user_id", "item_id", "rating", "timestamp")
    table = [header, *rows]
    texts = [Seed(suffix, content, True) for suffix, content in _texts(table, rows)]
    plain = texts[0].content
    packed = [
        Seed(f".csv.{name}", pack(plain), False)
        for name, pack in (("gz", gzip.compress), ("bz2", bz2.compress), ("xz", lzma.compress), ("zst", _zstd))
    ]
    return (*texts, *packed, Seed(".zip", _zip(plain), False), *_binaries(header, rows))


def _texts(table: Sequence[tuple[object, ...]], rows: Sequence[tuple[object, ...]]) -> list[tuple[str, bytes]]:
    def lines(entries: Sequence[tuple[object, ...]], delimiter: str, end: str = "\n") -> bytes:
        return "".join(delimiter.join(map(str, entry)) + end for entry in entries).encode()

    numbers = [(n % 5, n * 3 % 7, 4.5) for n in range(9)]
    objects = "".join(
        f'{{"user_id": "{u}", "item_id": "{i}", "rating": {r}, "timestamp": {t}}}\n' for u, i, r, t in rows
    )
    adjacency = "0 3 4 5\n1 2\n2 7 8 9 10\n3\n4 1 5\n"
    typed = [("user_id:token", "item_id:token", "rating:float", "timestamp:float"), *rows]
    quoted = [("user_id", "item_id", "title"), *((u, i, f'"a ""title"", with {u}\nand a line"') for u, i, _, _ in rows)]
    sequences = [("user_id:token", "item_id_list:token_seq"), ("u1", "a b c"), ("u2", "b"), ("u3", "c a")]
    return [
        (".csv", lines(table, ",")), (".csv", lines(table, ",", "\r\n")), (".csv", lines(rows, ",")),
        (".csv", lines(numbers, ",")), (".csv", lines(quoted, ",")), (".csv", lines(table, ";")),
        (".tsv", lines(table, "\t")), (".tsv", lines(rows, "\t")), (".dat", lines(rows, "::")),
        (".txt", lines(table, "|")), (".txt", lines(rows, " ")), (".txt", adjacency.encode()),
        (".inter", lines(typed, "\t")), (".inter", lines(sequences, "\t")), (".jsonl", objects.encode()),
        (".json", b"[" + b",\n".join(objects.encode().splitlines()) + b"]\n"),
        (".csv", lines(table, ",").decode().encode("utf-16")), (".csv", lines(table, ",").decode().encode("utf-16-be")),
        (".csv", "user_id,item_id\nä,日本\nж,🎈\n".encode()), (".csv", "user_id,item_id\nä,é\n".encode("latin-1")),
        (".csv", b"user_id,item_id\n1.0,2.0\n3.0,4\nNA,5\n,6\n"), (".csv", b""), (".txt", b"\n"),
        (".csv", b"user_id,item_id\n"),
        (".mtx", b"%%MatrixMarket matrix coordinate real general\n3 3 3\n1 1 5\n2 3 1\n3 2 2\n"),
        (".csv", lines(table, ",") * 3),
    ]  # fmt: skip


def _binaries(header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> list[Seed]:
    import pyarrow as pa
    import pyarrow.feather as pf
    import pyarrow.parquet as pq

    table = pa.table({name: [row[place] for row in rows] for place, name in enumerate(header)})
    parquet, feather, stream = io.BytesIO(), io.BytesIO(), io.BytesIO()
    pq.write_table(table, parquet)
    pf.write_feather(table, feather, compression="uncompressed")
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "shop.sqlite"
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE ratings (user_id TEXT, item_id TEXT, rating REAL, timestamp REAL)")
            database.executemany("INSERT INTO ratings VALUES (?, ?, ?, ?)", rows)
        database.close()
        sqlite = path.read_bytes()
    kinds = ((".parquet", parquet), (".feather", feather), (".arrow", stream))
    return [*(Seed(suffix, held.getvalue(), False) for suffix, held in kinds), Seed(".sqlite", sqlite, False)]


def _zstd(data: bytes) -> bytes:
    import zstandard

    packed: bytes = zstandard.ZstdCompressor().compress(data)
    return packed


def _zip(data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", data)
    return held.getvalue()


def mutate(content: bytes, chance: random.Random, other: bytes) -> bytes:
    """Return the content after one to six random changes; `other` may lend a part of itself."""
    changed = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 3, 6))):
        chance.choice(_CHANGES)(changed, chance, other)
    return bytes(changed[:200_000])


Change = Callable[[bytearray, random.Random, bytes], None]


def _flip(content: bytearray, chance: random.Random, _: bytes) -> None:
    if content:
        content[int(chance.random() * len(content))] ^= 1 << int(chance.random() * 8)


def _set(content: bytearray, chance: random.Random, _: bytes) -> None:
    if content:
        content[int(chance.random() * len(content))] = int(chance.random() * 256)


def _insert(content: bytearray, chance: random.Random, _: bytes) -> None:
    at = int(chance.random() * (len(content) + 1))
    content[at:at] = chance.choice(TOKENS)


def _overwrite(content: bytearray, chance: random.Random, _: bytes) -> None:
    at, token = int(chance.random() * (len(content) + 1)), chance.choice(TOKENS)
    content[at : at + len(token)] = token


def _delete(content: bytearray, chance: random.Random, _: bytes) -> None:
    at = int(chance.random() * (len(content) + 1))
    del content[at : at + 1 + int(chance.random() ** 3 * 40)]


def _repeat(content: bytearray, chance: random.Random, _: bytes) -> None:
    at = int(chance.random() * (len(content) + 1))
    part = content[at : at + 1 + int(chance.random() * 30)]
    content[at:at] = part * chance.choice((1, 2, 3, 20, 300))


def _cut(content: bytearray, chance: random.Random, _: bytes) -> None:
    del content[int(chance.random() * (len(content) + 1)) :]


def _splice(content: bytearray, chance: random.Random, other: bytes) -> None:
    at, start = int(chance.random() * (len(content) + 1)), int(chance.random() * (len(other) + 1))
    content[at:at] = other[start : start + 1 + int(chance.random() * 60)]


def _swap_lines(content: bytearray, chance: random.Random, _: bytes) -> None:
    lines = content.split(b"\n")
    one, two = int(chance.random() * len(lines)), int(chance.random() * len(lines))
    lines[one], lines[two] = lines[two], lines[one]
    content[:] = b"\n".join(lines)


def _grow_line(content: bytearray, chance: random.Random, _: bytes) -> None:
    """Lengthen a line to about a power of two, where blocks and buffers have their borders."""
    at = int(chance.random() * (len(content) + 1))
    content[at:at] = b"x" * max(0, (1 << chance.randrange(3, 13)) + chance.randrange(-2, 3) - len(content))


_CHANGES: tuple[Change, ...] = (
    _flip, _set, _insert, _insert, _insert, _overwrite, _delete, _repeat, _cut, _splice, _swap_lines, _grow_line,
)  # fmt: skip

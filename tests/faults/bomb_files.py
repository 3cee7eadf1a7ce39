"""Small files that unpack to more than memory, or whose one line, row, column count or nesting is enormous.

Each takes less than a few megabytes on the disk and a second to write. `read` is what reading must end with: `refused`
in one sentence of the library's, or `read` within the limit.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_BLOCK = 32 << 20  # bytes packed once; packed streams may follow each other


@dataclass(frozen=True)
class Bomb:
    """One file to read."""

    name: str
    suffix: str
    make: Callable[[Path, int], None]  # path, megabytes that it unpacks to
    options: dict[str, Any] = field(default_factory=dict)
    share: float = 1.0  # of the megabytes asked for; slow ones are smaller
    ends: str = "refused"


def _packed(pack: Callable[[bytes], bytes], byte: bytes, head: bytes = b"") -> Callable[[Path, int], None]:
    """Return a maker of `head` and then one byte again and again."""

    def make(path: Path, megabytes: int) -> None:
        block = pack(byte * _BLOCK)
        with path.open("wb") as file:
            file.write(pack(head) if head else b"")
            for _ in range(max(1, (megabytes << 20) // _BLOCK)):
                file.write(block)

    return make


def _zstd(data: bytes) -> bytes:
    import zstandard

    packed: bytes = zstandard.ZstdCompressor(level=1).compress(data)
    return packed


def _wide_window(path: Path, megabytes: int) -> None:
    """Write one frame whose header asks the reader for a window of 2 GB."""
    import zstandard

    parameters = zstandard.ZstdCompressionParameters.from_level(1, window_log=31, enable_ldm=1)
    with path.open("wb") as file, zstandard.ZstdCompressor(compression_params=parameters).stream_writer(file) as packed:
        packed.write(b"user_id,item_id\n")
        for _ in range(max(1, (megabytes << 20) // _BLOCK)):
            packed.write(b"a" * _BLOCK)


def _zip(path: Path, megabytes: int) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive, archive.open("data.csv", "w") as member:
        member.write(b"user_id,item_id\n")
        for _ in range(max(1, (megabytes << 20) // _BLOCK)):
            member.write(b"a" * _BLOCK)


def _zip_that_lies(path: Path, megabytes: int) -> None:
    """Write a member whose directory entry gives a size of 100 bytes."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.csv", b"user_id,item_id\n" + b"a" * (megabytes << 20))
    raw, true = content.getvalue(), (16 + (megabytes << 20)).to_bytes(4, "little")
    path.write_bytes(raw.replace(true, (100).to_bytes(4, "little")))


def _rows(row: bytes, header: bytes, footer: bytes = b"") -> Callable[[Path, int], None]:
    """Return a maker of a packed text of one row again and again."""

    def make(path: Path, megabytes: int) -> None:
        times = max(1, _BLOCK // len(row))
        block = gzip.compress(row * times, 1)
        with path.open("wb") as file:
            file.write(gzip.compress(header))
            for _ in range(max(1, (megabytes << 20) // (len(row) * times))):
                file.write(block)
            file.write(gzip.compress(footer) if footer else b"")

    return make


def _columns(path: Path, megabytes: int) -> None:
    """Write a header and two rows of a million columns and more."""
    n = (megabytes << 20) // 8
    with gzip.open(path, "wb", 1) as file:
        file.write(b"user_id,item_id," + b",".join(b"c%d" % number for number in range(n)) + b"\n")
        file.write((b"1,2," + b"," * (n - 1) + b"\n") * 2)


def _parquet_rows(path: Path, megabytes: int) -> None:
    """Write one pair again and again: a few kilobytes hold any number of rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    n = 1_000_000
    one = pa.table({"user_id": pa.array([1]).take([0] * n), "item_id": pa.array([2]).take([0] * n)})
    with pq.ParquetWriter(path, one.schema, compression="zstd") as writer:
        for _ in range(max(1, megabytes // 16)):
            writer.write_table(one)


def _parquet_value(path: Path, megabytes: int) -> None:
    """Write one id of many megabytes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    long = "a" * (megabytes << 20)
    pq.write_table(
        pa.table({"user_id": [long, "u"], "item_id": ["i", "j"]}), path, compression="zstd", use_dictionary=False
    )


_HEADER = b"user_id,item_id\n"
_JSON_BEGIN = b'{"user_id": 1, "item_id": 2}\n'

BOMBS = (
    Bomb("gzip of zeros", ".csv.gz", _packed(gzip.compress, b"\0")),
    Bomb("Zstandard of zeros", ".csv.zst", _packed(_zstd, b"\0")),
    Bomb("bzip2 of zeros", ".csv.bz2", _packed(bz2.compress, b"\0"), share=0.25),
    Bomb("xz of zeros", ".csv.xz", _packed(lzma.compress, b"\0"), share=0.5),
    Bomb("Zstandard with a window of 2 GB", ".csv.zst", _wide_window),
    Bomb("zip of one long line", ".zip", _zip),
    Bomb("zip that understates its size", ".zip", _zip_that_lies, share=0.25),
    Bomb("one long line of CSV", ".csv.gz", _packed(gzip.compress, b"a", _HEADER)),
    Bomb("one long first line of CSV", ".csv.gz", _packed(gzip.compress, b"a")),
    Bomb("a quote that is never closed", ".csv.gz", _packed(gzip.compress, b"a", _HEADER + b'1,"'), ends="either"),
    Bomb("lines inside a quote that is never closed", ".csv.gz", _rows(b"1,2\n", _HEADER + b'1,"'), share=0.25,
         ends="either"),
    Bomb("one line of delimiters", ".csv.gz", _packed(gzip.compress, b",", _HEADER)),
    Bomb("empty lines", ".csv.gz", _packed(gzip.compress, b"\n", _HEADER + b"1,2\n"), ends="either"),
    Bomb("rows that all are ragged", ".csv.gz", _rows(b"1,2,3,4\n", _HEADER), share=0.25),
    Bomb("many columns", ".csv.gz", _columns, share=0.125, ends="either"),
    Bomb("one long line of TSV", ".tsv.gz", _packed(gzip.compress, b"a", b"user_id\titem_id\n")),
    Bomb("one long line of JSON", ".jsonl.gz", _packed(gzip.compress, b"1", _JSON_BEGIN + b'{"user_id":1,"item_id":'),
         ends="read"),
    Bomb("one long first line of JSON", ".jsonl.gz", _packed(gzip.compress, b"a", b'{"user_id": "')),
    Bomb("deep JSON", ".jsonl.gz", _packed(gzip.compress, b"[", _JSON_BEGIN + b'{"user_id": '), ends="read"),
    Bomb("deep JSON in short lines", ".jsonl.gz",
         _rows(b'{"user_id":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", _JSON_BEGIN), share=0.0625, ends="either"),
    Bomb("a JSON array in one line", ".json.gz",
         _rows(b'{"user_id":1,"item_id":2},', b"[", b'{"user_id":1,"item_id":2}]'),
         ends="either", share=0.25),
    Bomb("one long token of adjacency", ".txt.gz", _packed(gzip.compress, b"1", b"1 2 3\n4 5\n6 "),
         {"format": "adjacency"}, ends="either"),
    Bomb("one user of adjacency with one item again and again", ".txt.gz", _rows(b"7 ", b"1 2 3\n4 5\n6 "),
         {"format": "adjacency"}, share=0.125, ends="read"),
    Bomb("UTF-16 of one long line", ".csv.gz",
         _packed(gzip.compress, "a".encode("utf-16-le"), _HEADER.decode().encode("utf-16")),
         share=0.25),
    Bomb("Parquet of one pair again and again", ".parquet", _parquet_rows, share=0.5, ends="read"),
    Bomb("Parquet with one long id", ".parquet", _parquet_value, share=0.25, ends="either"),
)  # fmt: skip

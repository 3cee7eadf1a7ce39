"""Mutation fuzzing of all readers of files, in one process over many files, so that each meets what the last one left.

Most inputs go to the reader alone (`open_reader`, `batches`), a share through the whole of `read_interactions`, and a
share is read again in blocks of a few bytes, which must change nothing. Every row that is read is kept or in a count,
every line of a text without quotes is read, and nothing but the library's own errors comes out.

    python -m tests.faults.fuzz_readers [N] [SEED]
"""

from __future__ import annotations

import random
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers import blocks
from nestrec.data.readers.open_reader import open_reader
from nestrec.data.rejections import RejectionLog
from nestrec.errors import NestrecError
from tests.data.reports import read_with_report
from tests.faults.injector import fast_folder
from tests.faults.mutation import Seed, mutate, seeds

EXAMPLES: list[str] = []  # of the last run: what went wrong, with the seed and the file that shows it

_WHOLE = 0.02  # of the inputs go through all of `read_interactions`
_BLOCKS = 0.01  # are read again in small blocks
_PACKED, _DATABASES = 0.3, 0.01  # of those drawn that are packed, or opened by a database at tens of milliseconds each
_TOO_LONG = ("the row is longer", "a quote is opened")  # for a block; in a block of the usual size they are not
_BY_DUCKDB = (".parquet", ".feather", ".arrow", ".sqlite")
_BLOCK_SIZES = (64, 97, 256, 1000)
_OPTIONS: tuple[dict[str, Any], ...] = (
    *({},) * 12, {"keep_timestamps": True}, {"keep_timestamps": True}, {"min_rating": 2.0}, {"quote": None},
    {"header": False}, {"header": True}, {"user_column": 2, "item_column": 1}, {"format": "adjacency"},
    {"user_column": "user_id", "item_column": "item_id"}, {"format": "jsonl"}, {"format": "csv", "delimiter": " "},
    {"strict": True}, {"rating_column": ""}, {"format": "tsv"}, {"format": "recbole"}, {"delimiter": "::"},
    {"keep_timestamps": True, "min_rating": 3.5},
)  # fmt: skip


class LostRowError(AssertionError):
    """A row is in no count."""


def run(n: int, seed: int = 0) -> dict[str, int]:
    """Return how many of n mutated files ended how: read, refused, foreign (another library's error) or uncounted."""
    EXAMPLES.clear()
    warnings.simplefilter("ignore")
    chance, counts = random.Random(seed), Counter(dict.fromkeys(("read", "refused", "foreign", "uncounted"), 0))
    pool = seeds()
    settings = [ReadOptions(threads=1, **options) for options in _OPTIONS]
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=fast_folder()) as folder:
        paths = {one.suffix: f"{folder}/input{one.suffix}" for one in pool}
        for number in range(n):
            base, other = _choose(pool, chance)
            content = mutate(base.content, chance, other.content)
            path = paths[base.suffix]
            with open(path, "wb", buffering=0) as file:  # noqa: PTH123 - the fastest
                file.write(content)
            options, how = settings[int(chance.random() * len(settings))], chance.random()
            try:
                counts[_attempt(path, options, how, content, base)] += 1
            except (Exception, RecursionError) as error:
                kind = "uncounted" if isinstance(error, LostRowError) else "foreign"
                counts[kind] += 1
                EXAMPLES.append(_example(kind, seed, number, path, content, options, error))
    return dict(counts)


def _choose(pool: tuple[Seed, ...], chance: random.Random) -> tuple[Seed, Seed]:
    """Draw two files; binary ones are slow to read and drawn less."""
    while True:
        base = pool[int(chance.random() * len(pool))]
        if base.is_text or chance.random() < (_DATABASES if base.suffix in _BY_DUCKDB else _PACKED):
            return base, pool[int(chance.random() * len(pool))]


def _attempt(path: str, options: ReadOptions, how: float, content: bytes, base: Seed) -> str:
    try:
        if how < _WHOLE:
            _read_whole(path, options)
            return "read"
        again = how < _WHOLE + _BLOCKS
        first = _read(path, options, with_pairs=again)
    except NestrecError as error:
        if not str(error):
            raise AssertionError("an error without a sentence") from error
        return "refused"
    if base.is_text:
        _check_lines(content, options, *first[:2])
    if again:
        _check_blocks(path, options, content, first)
    return "read"


Account = tuple[int, str, int, dict[str, int], Any]  # rows, format, kept, counts, pairs


def _read(path: str, options: ReadOptions, *, with_pairs: bool) -> Account:
    """Read the rows, and check that each is kept or counted."""
    reader, name = open_reader(path, options)
    rejections = RejectionLog(name, strict=options.strict)
    n_read = n_kept = 0
    pairs = []
    with closing(reader):
        for batch in reader.batches(rejections):
            if not (len(batch.users) == len(batch.items)):
                raise AssertionError(f"{len(batch.users)} users beside {len(batch.items)} items")
            n_read, n_kept = n_read + batch.n_read, n_kept + len(batch.users)
            if with_pairs:
                pairs += [(str(u), str(i)) for u, i in zip(_ids(batch.users), _ids(batch.items), strict=True)]
    if n_read != n_kept + sum(rejections.counts.values()):
        raise LostRowError(f"{n_read} rows read, {n_kept} kept, {rejections.counts}")
    return n_read, reader.format, n_kept, dict(rejections.counts), pairs


def _ids(column: Any) -> list[Any]:
    if isinstance(column, np.ndarray):
        listed: list[Any] = column.tolist()
        return listed
    return [column.at(row) for row in range(len(column))]


def _read_whole(path: str, options: ReadOptions) -> None:
    interactions, report = read_with_report(path, options=options)
    if report.n_rows != report.n_kept + sum(report.rejected.values()):
        raise LostRowError(f"{report.n_rows} rows read, {report.n_kept} kept, {report.rejected}")
    if interactions.n_interactions != report.n_kept or len(interactions.indices) != interactions.indptr[-1]:
        raise LostRowError(f"{report.n_kept} kept, {interactions.n_interactions} in the matrix")
    if (
        report.n_kept
        and not 0 <= int(interactions.indices.min()) <= int(interactions.indices.max()) < interactions.n_items
    ):
        raise LostRowError("an item that is none")


def _check_lines(content: bytes, options: ReadOptions, n_read: int, format_name: str) -> None:
    """Compare rows with lines, where a line is a row: no quotes, no blanks alone, no bytes that end lines otherwise."""
    if format_name not in ("csv", "tsv", "recbole") or b'"' in content or b"\0" in content or options.sequence:
        return
    if content[:3] == b"\xef\xbb\xbf":
        content = content[3:]
    lines = [line for line in content.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n") if line.strip(b" \t")]
    if any(line.lstrip()[:1] in b"#%" for line in lines) or content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return
    n_blank = content.count(b" ") + content.count(b"\t")  # where these are delimiters, blank lines are rows of no ids
    if not len(lines) - 1 <= n_read <= len(lines) + n_blank:  # with a header or without
        raise LostRowError(f"{len(lines)} lines, {n_read} rows")


def _check_blocks(path: str, options: ReadOptions, content: bytes, first: Account) -> None:
    """Read again in small blocks: the same rows, or a refusal where a row is longer than a block."""
    usual = blocks.BLOCK_BYTES
    header = len(content.partition(b"\n")[0])  # which must fit: it is dropped from the first block
    try:
        for size in (size for size in _BLOCK_SIZES if size > header + 2):
            blocks.BLOCK_BYTES = size
            try:
                once_more = _read(path, options, with_pairs=True)
            except NestrecError:
                continue
            if any(reason.startswith(_TOO_LONG) for reason in once_more[3]):
                continue
            if once_more != first:
                raise LostRowError(f"in blocks of {size} bytes: {once_more[:4]}, else {first[:4]}")
    finally:
        blocks.BLOCK_BYTES = usual


def _example(
    kind: str, seed: int, number: int, path: str, content: bytes, options: ReadOptions, error: BaseException
) -> str:
    given = {name: value for name, value in vars(options).items() if value != getattr(ReadOptions(threads=1), name)}
    where = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"{kind} seed {seed} number {number} {Path(path).name} {given}: {type(error).__name__}: {str(error)[:200]} "
        f"({Path(where.filename).name}:{where.lineno}) of {content[:600]!r}"
    )


if __name__ == "__main__":
    print(run(*map(int, sys.argv[1:])))
    print("\n".join(EXAMPLES[:20]))

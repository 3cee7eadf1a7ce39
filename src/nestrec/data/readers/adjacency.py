"""Adjacency text: a line is a user and the items the user has, between blanks.

A user without items is a user all the same: the line adds a row without interactions.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from nestrec.arrays import Int64Array
from nestrec.data.id_index import TextIds, is_utf8
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch, FileReader
from nestrec.data.readers.blocks import Blocks
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.rejections import NOT_UTF8, RejectionLog
from nestrec.errors import DataError
from nestrec.kernels.data import fields as kernel


class AdjacencyReader(FileReader):
    """Lines of a user and items; lines of any length."""

    format = "adjacency"

    def __init__(self, source: ByteSource, _options: ReadOptions) -> None:
        """Take a source; no option applies to its rows."""
        super().__init__(source)

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        """Yield one row for each item that stands in a line."""
        blocks, line = Blocks(self._source), 1
        while True:
            capacity = blocks.end // 2 + 1
            starts, ends, heads, lines = (np.empty(capacity, dtype=np.int64) for _ in range(4))
            n_tokens, consumed, line, head = kernel.split_tokens(
                blocks.buffer, blocks.end, blocks.is_last, line, starts, ends, heads, lines
            )
            if n_tokens:
                longest = int((ends[:n_tokens] - starts[:n_tokens]).argmax())
                self._check_length(int(ends[longest] - starts[longest]), blocks, int(lines[longest]))
                tokens = TextIds(blocks.buffer, starts[:n_tokens], ends[:n_tokens])
                yield _check(tokens, heads[:n_tokens], lines[:n_tokens], rejections)
            if blocks.is_last:
                return
            # The next block continues a line that the end of this one cuts, under the same user.
            user = blocks.buffer[starts[head] : ends[head]].tobytes() + b" " if head >= 0 else b""
            self._check_length(blocks.end - int(consumed), blocks, line)
            blocks.advance(int(consumed), user)

    def _check_length(self, n_bytes: int, blocks: Blocks, line: int) -> None:
        """Raise DataError where an id, or what the end of a block leaves of one, is too long."""
        if n_bytes > blocks.longest_id:
            raise DataError(
                f"{self._source.path}, line {line}: an id is longer than {blocks.longest_id:,} bytes, so this is no "
                "adjacency text (`user item item …` a line); give format",
                mentions=("format",),
            )


def _check(tokens: TextIds, heads: Int64Array, lines: Int64Array, rejections: RejectionLog) -> Batch:
    is_item = np.arange(len(tokens)) != heads
    bare = tokens[~is_item]
    items, owners, lines = tokens[is_item], heads[is_item], lines[is_item]
    users = TextIds(tokens.buffer, tokens.starts[owners], tokens.ends[owners])
    n_read = len(items)
    used = tokens.buffer[tokens.starts[0] : tokens.ends[-1]]
    if used.max() >= 128 and not is_utf8(used.tobytes()):
        fine = users.are_utf8() & items.are_utf8()
        rejections.reject_rows(
            NOT_UTF8, ~fine, lambda row: f"line {lines[row]}", lambda row: f"{users.at(row)} {items.at(row)}"
        )
        users, items, bare, lines = users[fine], items[fine], bare[bare.are_utf8()], lines[fine]
    return Batch(users, items, n_read=n_read, bare_users=bare, lines=lines)

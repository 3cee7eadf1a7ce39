"""A text file in blocks of a few megabytes; the unread rest of a block comes first in the next."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import BoolArray, Int64Array, UInt8Array
from nestrec.data.id_index import TextIds
from nestrec.data.readers.byte_source import ByteSource

BLOCK_BYTES = 4 << 20
LONGEST_ROW = 1 << 20  # bytes
_LF, _CR = 10, 13


class Blocks:
    """`buffer[:end]` is what there is to read now; `is_last` tells that nothing follows."""

    def __init__(self, source: ByteSource) -> None:
        self._source = source
        # No larger than the file needs: small files are read often, and pages cost time to touch.
        size = BLOCK_BYTES if source.is_packed or source.size is None else min(BLOCK_BYTES, 4 * source.size + 64)
        self.buffer: UInt8Array = np.empty(size, dtype=np.uint8)
        self.longest_row = min(LONGEST_ROW, size - 1)  # less than a block, so that a full one holds a whole row
        self.longest_id = min(LONGEST_ROW, size // 2 - 1)  # a user that is carried over leaves room for an item
        self.end = 0
        self.is_last = False
        self.advance(0)

    def advance(self, consumed: int, kept: bytes = b"") -> None:
        """Drop the first `consumed` bytes, put `kept` before the rest and fill up."""
        rest = self.buffer[consumed : self.end].copy()
        start = len(kept)
        self.buffer[:start] = np.frombuffer(kept, dtype=np.uint8)
        self.buffer[start : start + len(rest)] = rest
        self.end = start + len(rest)
        view = self.buffer.data
        while self.end < len(self.buffer):
            n_read = self._source.readinto(view[self.end :])
            if n_read == 0:
                self.is_last = True
                break
            self.end += n_read


def find_row_spans(
    buffer: UInt8Array,  # text that begins with a line
    end: int,  # of the last row
    lines: Int64Array,  # (n,) the line on which each row begins, from 0, ascending
) -> TextIds:
    r"""Return the bytes of each row, without the line ends and blank lines after it.

    >>> spans = find_row_spans(np.frombuffer(b'a,1\n\n"b\nc",2\r\nd,3', dtype=np.uint8), 17, np.array([0, 2, 4]))
    >>> [spans.at(row) for row in range(3)]
    ['a,1', '"b\nc",2', 'd,3']
    """
    text = buffer[:end]
    ends_line = text == _LF
    ends_line[:-1] |= (text[:-1] == _CR) & (text[1:] != _LF)
    if end and text[-1] == _CR:
        ends_line[-1] = True
    line_starts = np.concatenate([[0], np.flatnonzero(ends_line) + 1])
    starts = line_starts[lines]
    ends = np.append(starts[1:], end)[: len(starts)]
    while len(cut := np.flatnonzero((ends > starts) & _is_line_end(buffer, ends - 1))):
        ends[cut] -= 1
    return TextIds(buffer, starts, ends)


def _is_line_end(buffer: UInt8Array, places: Int64Array) -> BoolArray:
    bytes_there = buffer[np.maximum(places, 0)]
    result: BoolArray = (bytes_there == _LF) | (bytes_there == _CR)
    return result

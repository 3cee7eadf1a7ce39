"""Where the rows of delimited text begin and end, from the lines on which they begin: a row may hold line ends."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import BoolArray, Int64Array, UInt8Array
from nestrec.data.id_index import TextIds

_LF, _CR = 10, 13


def row_spans(
    buffer: UInt8Array,  # text that begins with a line
    end: int,  # of the last row
    lines: Int64Array,  # (n,) the line on which each row begins, from 0, ascending
) -> TextIds:
    r"""Return the bytes of each row, without the line ends and blank lines after it.

    >>> spans = row_spans(np.frombuffer(b'a,1\n\n"b\nc",2\r\nd,3', dtype=np.uint8), 18, np.array([0, 2, 4]))
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

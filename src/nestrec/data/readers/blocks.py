"""A text file in blocks of a few megabytes; what a reader leaves of one comes back at the start of the next."""

from __future__ import annotations

import numpy as np

from nestrec.arrays import UInt8Array
from nestrec.data.readers.byte_source import ByteSource

BLOCK_BYTES = 4 << 20
LONGEST_ROW = 1 << 20  # bytes


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

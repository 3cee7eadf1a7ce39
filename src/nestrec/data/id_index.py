"""Index ids while reading: in order of first appearance, then, at the end, in id order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nestrec.arrays import BoolArray, Int32Array, Int64Array, UInt8Array
from nestrec.data.ids import TEXT, IdArray, is_whole, parse_decimal
from nestrec.data.vocabulary import LARGEST_SIZE, Vocabulary
from nestrec.errors import DataError
from nestrec.kernels.data import id_index as kernel

Number = TypeVar("Number", bound=np.generic)


def is_utf8(text: bytes) -> bool:
    """Return whether bytes are UTF-8 text."""
    try:
        text.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


@dataclass(frozen=True)
class TextIds:
    """Ids as UTF-8 bytes `start:end` of one buffer."""

    buffer: UInt8Array
    starts: Int64Array  # (n,)
    ends: Int64Array  # (n,)

    @classmethod
    def from_strings(cls, texts: list[str]) -> TextIds:
        """Encode strings, one after another in a buffer."""
        return cls.from_bytes([text.encode("utf-8") for text in texts])

    @classmethod
    def from_bytes(cls, parts: list[bytes]) -> TextIds:
        """Copy bytes, one after another in a buffer."""
        ends = np.cumsum([len(part) for part in parts], dtype=np.int64)
        starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]]) if parts else ends
        return cls(np.frombuffer(bytearray(b"".join(parts)), dtype=np.uint8), starts, ends)

    def at(self, row: int) -> str:
        """Return one id for showing."""
        return bytes(self.buffer[self.starts[row] : self.ends[row]]).decode("utf-8", "backslashreplace")

    def are_utf8(self) -> BoolArray:
        """Return for each id whether it is UTF-8 text, (n,); slow, so check the whole buffer before."""
        spans = zip(self.starts.tolist(), self.ends.tolist(), strict=True)
        return np.array([is_utf8(self.buffer[start:end].tobytes()) for start, end in spans], dtype=np.bool_)

    def __len__(self) -> int:
        """Count the ids."""
        return len(self.starts)

    def __getitem__(self, rows: BoolArray | Int64Array | slice) -> TextIds:
        """Return some of the ids, over the same buffer."""
        return TextIds(self.buffer, self.starts[rows], self.ends[rows])


IdColumn = TextIds | Int64Array  # text, or numbers


class IdIndex:
    """Ids read so far, each with the rank of its first appearance ("entry")."""

    def __init__(self) -> None:
        self._slots: Int32Array = np.full(1 << 12, -1, dtype=np.int32)
        self._keys: Int64Array = np.empty(1 << 11, dtype=np.int64)
        self._lengths: Int32Array = np.empty(1 << 11, dtype=np.int32)
        self._offsets: Int64Array = np.empty(0, dtype=np.int64)  # needed from the first text on
        self._arena: UInt8Array = np.empty(0, dtype=np.uint8)
        self._used: Int64Array = np.zeros(2, dtype=np.int64)
        self.decimal_example: str | None = None  # set by `finish` where ids such as "12.0" became whole numbers

    def __len__(self) -> int:
        """Count the distinct ids."""
        return int(self._used[0])

    def add(self, ids: IdColumn) -> Int32Array:
        """Return the entry of each id, new ones included; (n,) int32."""
        out = np.empty(len(ids), dtype=np.int32)
        self._make_room(len(ids))
        if isinstance(ids, TextIds):
            self._make_room_for_text(int((ids.ends - ids.starts).sum()))
            kernel.index_text(
                ids.buffer, ids.starts, ids.ends, self._slots, self._keys, self._lengths, self._offsets, self._arena,
                self._used, out,
            )  # fmt: skip
        else:
            kernel.index_numbers(ids, self._slots, self._keys, self._lengths, self._used, out)
        return out

    def finish(self) -> tuple[Vocabulary, Int32Array]:
        """Return the ids in order and, for each entry, its row there.

        Where every id is a whole number or a whole number written as a float ("12.0"), all become whole numbers, and
        entries of one number share a row.
        """
        self._slots = np.empty(0, dtype=np.int32)
        ids = self._collect_ids()
        order = np.argsort(ids, kind="stable")  # numpy 2.4 crashes on text in several ascending runs otherwise
        ordered = ids[order]
        first = np.ones(len(ordered), dtype=np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]  # "1.0" and "1" are one number
        ranks = np.empty(len(ids), dtype=np.int32)
        ranks[order] = np.cumsum(first, dtype=np.int32) - np.int32(1)
        return Vocabulary(ordered[first]), ranks

    def _collect_ids(self) -> IdArray:
        n_entries = len(self)
        is_text = self._lengths[:n_entries] >= 0
        if not is_text.any():
            return self._keys[:n_entries].copy()
        texts = self._decode_texts(is_text)
        whole = _drop_decimals(texts)
        if whole is not None:
            self.decimal_example = next(text for text in texts if not is_whole(text))
            texts = whole
            if all(-(2**63) <= int(text) < 2**63 for text in texts):
                numbers = self._keys[:n_entries].copy()
                numbers[is_text] = np.array([int(text) for text in texts], dtype=np.int64)
                return numbers
        ids = np.empty(n_entries, dtype=TEXT)
        ids[~is_text] = self._keys[:n_entries][~is_text].astype(TEXT)
        ids[is_text] = np.array(texts, dtype=TEXT)
        return ids

    def _decode_texts(self, is_text: BoolArray) -> list[str]:
        starts = self._offsets[: len(is_text)][is_text]
        ends = starts + self._lengths[: len(is_text)][is_text]
        contents = self._arena[: self._used[1]].tobytes()
        return [contents[start:end].decode("utf-8") for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def _make_room(self, n_new: int) -> None:
        needed = len(self) + n_new
        if needed > LARGEST_SIZE:
            raise DataError("more than 2^31 - 1 different ids; row indices are 32-bit, so split the data")
        if needed > len(self._keys):
            size = max(needed, len(self) + len(self) // 2)
            self._keys, self._lengths = _grow(self._keys, size), _grow(self._lengths, size)
            if len(self._offsets):
                self._offsets = _grow(self._offsets, size)
        if 2 * needed > len(self._slots):
            self._slots = np.empty(1 << (2 * needed - 1).bit_length(), dtype=np.int32)
            kernel.refill_slots(self._keys, len(self), self._slots)

    def _make_room_for_text(self, n_bytes: int) -> None:
        if len(self._offsets) < len(self._keys):
            self._offsets = _grow(self._offsets, len(self._keys))
        used = int(self._used[1])
        if used + n_bytes > len(self._arena):
            self._arena = _grow(self._arena, max(used + n_bytes, used + used // 2))


def _drop_decimals(texts: list[str]) -> list[str] | None:
    """Return the texts as whole numbers where each is one or is written as a float, and some are, else None."""
    result, n_changed = [], 0
    for text in texts:
        whole = parse_decimal(text)
        if whole is None and not is_whole(text):
            return None
        n_changed += whole is not None
        result.append(text if whole is None else whole)
    return result if n_changed else None


def _grow(array: npt.NDArray[Number], size: int) -> npt.NDArray[Number]:
    larger = np.empty(size, dtype=array.dtype)
    larger[: len(array)] = array
    return larger

"""External ids and their row indices, in id order, so that an index does not depend on the order of the rows read."""

from __future__ import annotations

import hashlib
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int32Array, Int64Array
from nestrec.data.ids import IdArray, as_text, canonicalize_ids, parse_decimal, parse_whole_number
from nestrec.errors import DataError, OptionError, UnknownIdError

LARGEST_SIZE = 2**31 - 1  # row indices are int32
_HASHED_AT_ONCE = 1_000_000
_SHOWN = 5  # unknown ids that an error names


class Vocabulary:
    """The ids of one side (users or items): sorted, unique; whole numbers stay numbers, all else is text.

    Numbers are ordered by value, text by its UTF-8 bytes. An id is looked up by its canonical text, so that `42` finds
    the row of `"42"` and `"042"` does not. Among whole numbers, `"42.0"` finds 42 too: pandas writes whole numbers so
    where a column has a missing value.

    >>> items = Vocabulary.from_ids(["30", "7", "7"])
    >>> items.ids.tolist(), items.index_of([7, "30"]).tolist()
    ([7, 30], [0, 1])
    >>> items.index_of(["30", "030"], unknown="mark").tolist()
    [1, -1]
    """

    def __init__(self, ids: IdArray) -> None:
        """Take ids that are sorted and unique already, (n,) int64 or StringDType; `from_ids` sorts for you."""
        if not isinstance(ids, np.ndarray):
            raise DataError(f"ids must be a numpy array, got {type(ids).__name__}; use Vocabulary.from_ids")
        if ids.ndim != 1 or ids.dtype.kind not in "iT":
            raise DataError(
                f"a vocabulary holds one row of int64 or text ids, not {ids.ndim} dimensions of {ids.dtype}; "
                "use Vocabulary.from_ids"
            )
        if len(ids) > LARGEST_SIZE:
            raise DataError(f"{len(ids)} ids are more than 2^31 - 1, the most that int32 row indices can count")
        if not bool(np.all(ids[1:] > ids[:-1])):
            raise DataError("the ids of a vocabulary ascend without repeats; use Vocabulary.from_ids")
        self.ids = ids if ids.dtype.kind == "T" else ids.astype(np.int64, copy=False)

    @classmethod
    def from_ids(cls, ids: npt.ArrayLike) -> Vocabulary:
        """Sort and deduplicate ids of any type that `canonicalize_ids` takes."""
        # Not numpy's default sort: it crashes on text in several ascending runs (numpy 2.4).
        ordered = np.sort(canonicalize_ids(ids), axis=None, kind="stable")
        first = np.ones(len(ordered), dtype=np.bool_)
        first[1:] = ordered[1:] != ordered[:-1]
        return cls(ordered[first])

    def index_of(self, ids: npt.ArrayLike, *, unknown: Literal["mark", "raise"] = "raise") -> Int32Array:
        """Return the row of each id, in the shape given; int32.

        Raises UnknownIdError where ids are unknown; with `unknown="mark"` they have -1, which NumPy takes for the last
        row, so look for it before the rows are used as indices.
        """
        if unknown not in ("mark", "raise"):
            raise OptionError(f'unknown must be "mark" or "raise", got {unknown!r}', option="unknown")
        wanted = canonicalize_ids(ids)
        rows = self._look_up(wanted)
        if unknown == "raise" and bool((rows < 0).any()):
            raise UnknownIdError(self._describe_unknown(wanted[rows < 0].ravel().tolist()))
        return rows

    def _look_up(self, wanted: IdArray) -> Int32Array:
        if wanted.dtype.kind == self.ids.dtype.kind:
            return self._find_rows(wanted)
        if self.ids.dtype.kind == "T":
            return self._find_rows(as_text(wanted))
        numbers = [parse_whole_number(parse_decimal(text) or text) for text in wanted.ravel().tolist()]
        known = np.array([number is not None for number in numbers], dtype=np.bool_)
        values = np.array([0 if number is None else number for number in numbers], dtype=np.int64)
        return np.where(known, self._find_rows(values), np.int32(-1)).astype(np.int32).reshape(wanted.shape)

    def ids_at(self, indices: npt.ArrayLike) -> IdArray:
        """Return the ids of these rows, in the shape given."""
        result: IdArray = self.ids[np.asarray(indices)]
        return result

    def fingerprint(self) -> str:
        """Return the SHA-256 (hexadecimal) of the ids in order."""
        digest = hashlib.sha256(f"{self.ids.dtype.kind} {len(self)}\n".encode())
        for start in range(0, len(self), _HASHED_AT_ONCE):
            digest.update(_encode_ids(self.ids[start : start + _HASHED_AT_ONCE]))
        return digest.hexdigest()

    def _describe_unknown(self, unknown: list[int | str]) -> str:
        shown = ", ".join(map(repr, unknown[:_SHOWN])) + (", …" if len(unknown) > _SHOWN else "")
        known = (
            f"the {len(self):,} known ones, such as {self.ids[:1].tolist()[0]!r}" if len(self) else "known, and none is"
        )
        return f'ids must be among {known}; got {len(unknown):,} unknown: {shown}; correct them, or give unknown="mark"'

    def _find_rows(self, wanted: IdArray) -> Int32Array:
        """Find ids of this vocabulary's own type."""
        if len(self) == 0:
            return np.full(wanted.shape, -1, dtype=np.int32)
        flat = wanted.ravel()
        places = _find_places(self.ids, flat)
        return np.where(self.ids[places] == flat, places, -1).astype(np.int32).reshape(wanted.shape)

    def __eq__(self, other: object) -> bool:
        """Equal where type and ids are."""
        if not isinstance(other, Vocabulary):
            return NotImplemented
        return self is other or (self.ids.dtype == other.ids.dtype and bool(np.array_equal(self.ids, other.ids)))

    __hash__ = None  # type: ignore[assignment]  # compared by content, which may be large

    def __len__(self) -> int:
        """Count the ids."""
        return len(self.ids)

    def __repr__(self) -> str:
        """Show the size and the ends."""
        kind = "text" if self.ids.dtype.kind == "T" else "whole-number"
        ends = f", {self.ids[0]!r} to {self.ids[-1]!r}" if len(self) else ""
        return f"<Vocabulary of {len(self)} {kind} ids{ends}>"


def _find_places(ordered: IdArray, wanted: IdArray) -> Int64Array:
    """Return for each id the last place whose id is not above it, 0 if there is none."""
    if ordered.dtype.kind == "i":
        return np.maximum(np.searchsorted(ordered, wanted, side="right") - 1, 0)
    # Not numpy's searchsorted: for text it reads one array's strings with the other's allocator (numpy 2.0 to 2.4).
    places = np.zeros(len(wanted), dtype=np.int64)
    step = 1 << (len(ordered) - 1).bit_length()
    while step := step >> 1:
        further = np.minimum(places + step, len(ordered) - 1)
        places = np.where(ordered[further] <= wanted, further, places)
    return places


def _encode_ids(ids: npt.NDArray[Any]) -> bytes:
    """Return bytes that no other list of ids of the same kind and length has: lengths, then contents."""
    if ids.dtype.kind == "i":
        return ids.astype("<i8").tobytes()
    encoded = [text.encode() for text in ids.tolist()]
    return np.array([len(text) for text in encoded], dtype="<i8").tobytes() + b"".join(encoded)

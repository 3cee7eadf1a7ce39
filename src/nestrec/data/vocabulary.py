"""External ids and their row indices, in id order, so that an index does not depend on the order of the rows read."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

IdArray = npt.NDArray[Any]  # int64, or numpy's variable-width StringDType
IndexArray = npt.NDArray[np.int32]


class Vocabulary:
    """The ids of one side (users or items): sorted, unique; whole numbers stay numbers, all else is text.

    An id is looked up by its canonical text, so that `42` finds the row of `"42"` and `"042"` does not.
    """

    def __init__(self, ids: IdArray) -> None:
        """Take ids that are sorted and unique already; `from_ids` sorts for you."""
        self.ids = ids

    @classmethod
    def from_ids(cls, ids: npt.ArrayLike) -> Vocabulary:
        """Sort and deduplicate."""
        raise NotImplementedError

    def index_of(self, ids: npt.ArrayLike) -> IndexArray:
        """Return the row of each id, -1 where it is unknown. Shape as given; int32."""
        raise NotImplementedError

    def ids_at(self, indices: npt.ArrayLike) -> IdArray:
        """Return the ids of these rows."""
        return self.ids[np.asarray(indices)]

    def __len__(self) -> int:
        return len(self.ids)

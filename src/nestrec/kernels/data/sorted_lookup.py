"""Whether a number stands in a stretch of an ascending array: the seen or held-out items of a user in a CSR matrix."""

from __future__ import annotations

from nestrec.arrays import Int32Array
from nestrec.kernels.compiled import compiled

_SHORT = 8  # numbers compared one by one


@compiled
def holds(ascending: Int32Array, low: int, high: int, value: int) -> bool:
    """Return whether a number is in ascending[low:high].

    Halved while long, then compared one by one: a short run has no branch to guess wrong but its end.
    """
    while high - low > _SHORT:
        middle = (low + high) >> 1
        if ascending[middle] <= value:
            low = middle
        else:
            high = middle
    found = False
    for at in range(low, high):
        found |= ascending[at] == value
    return found

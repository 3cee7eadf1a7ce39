"""How many threads the linear algebra of numpy and scipy uses, for the length of a call (threadpoolctl)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nestrec.extras import require


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Hold BLAS to this many threads in the whole process, and give it its former number back afterwards.

    Raises MissingExtraError without threadpoolctl.
    """
    library = require("threadpoolctl", "baselines", "this baseline, to keep to its threads,")
    with library.threadpool_limits(threads, "blas"):
        yield

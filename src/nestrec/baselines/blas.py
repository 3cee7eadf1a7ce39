"""Limit on the BLAS threads of numpy and scipy (threadpoolctl)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nestrec.extras import require


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Limit BLAS to this many threads in the whole process, and restore the former number afterwards.

    Raises MissingExtraError without threadpoolctl.
    """
    library = require("threadpoolctl", "baselines", "this baseline, to keep to its threads,")
    with library.threadpool_limits(threads, "blas"):
        yield

"""How many threads the linear algebra of numpy and scipy uses, for the length of a call (threadpoolctl)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from nestrec.errors import MissingExtraError


@contextmanager
def blas_threads(threads: int) -> Iterator[None]:
    """Hold BLAS to this many threads in the whole process, and give it its former number back afterwards.

    Raises MissingExtraError without threadpoolctl.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError as error:
        raise MissingExtraError(
            "this baseline needs threadpoolctl to keep to its threads, which is not installed; "
            'get it with pip install "nestrec[baselines]"'
        ) from error
    with threadpool_limits(threads, "blas"):
        yield

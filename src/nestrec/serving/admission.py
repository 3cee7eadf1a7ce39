"""Admission: so many requests are computed or wait at once, and the bodies of so many are read; others are rejected.

A request counts as in flight once it is read, so that slow clients take no place of those whose requests have arrived.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http import HTTPStatus

from nestrec.serving.problems import overloaded

_BODIES = 4  # that are read at once, for each request that may be in flight


class Admission:
    """Counts requests, and rejects those beyond the most."""

    def __init__(self, most: int, abandoned: Callable[[], int]) -> None:
        self._most, self._abandoned = most, abandoned
        self._admitted = self._reading = 0

    @property
    def in_flight(self) -> int:
        """Requests in flight, with those whose deadline is over and whose computation is not."""
        return self._admitted + self._abandoned()

    @property
    def fullness(self) -> float:
        """Requests in flight, as a share of the most."""
        return self.in_flight / self._most

    @contextmanager
    def admit(self) -> Iterator[None]:
        """Count a request while it is answered; raise ProblemError where there are too many."""
        if self.in_flight >= self._most:
            raise overloaded(
                f"the server answers at most {self._most} requests at once; send it again after a moment",
                "in_flight",
                HTTPStatus.TOO_MANY_REQUESTS,
            )
        self._admitted += 1
        try:
            yield
        finally:
            self._admitted -= 1

    @contextmanager
    def read(self) -> Iterator[None]:
        """Count a request while its body is read; raise ProblemError where there are too many."""
        if self._reading >= _BODIES * self._most:
            raise overloaded(
                f"the server reads at most {_BODIES * self._most} bodies at once; send it again after a moment",
                "bodies",
                HTTPStatus.TOO_MANY_REQUESTS,
            )
        self._reading += 1
        try:
            yield
        finally:
            self._reading -= 1

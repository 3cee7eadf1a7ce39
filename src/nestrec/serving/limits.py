"""Limits of the server: what a request may ask for, how many are answered at once, and for how long they may take."""

from __future__ import annotations

from dataclasses import dataclass

from nestrec.arguments import check_count, check_range
from nestrec.field_docs import show_field_docs

_MANY = 2**31 - 1


@show_field_docs
@dataclass(frozen=True)
class Limits:
    """Limits of the server; a request beyond one is answered with a 4xx status that names it.

    >>> Limits(k=50).k
    50
    """

    k: int = 1_000
    """Items of a list."""
    users: int = 1_000
    """Users of a batch, and pairs to score."""
    answers: int = 100_000
    """Items of all lists of a batch together."""
    items: int = 10_000
    """Ids in an allow-list, a deny-list or a history."""
    explained: int = 50
    """Items that are explained in one request."""
    id_length: int = 256
    """Bytes of an id, as UTF-8."""
    where_length: int = 2_000
    """Characters of a condition."""
    body: int = 1_000_000
    """Bytes of a request's body."""
    query: int = 16_384
    """Bytes of a query string."""
    in_flight: int = 64
    """Requests that are answered or wait at once; more are rejected with 429."""
    deadline: float = 2.0
    """Seconds until a request is answered with 503."""
    receive: float = 10.0
    """Seconds for the body of a request to arrive."""

    def __post_init__(self) -> None:
        """Validate the numbers."""
        for name in (
            "k", "users", "answers", "items", "explained", "id_length", "where_length", "body", "query", "in_flight",
        ):  # fmt: skip
            check_count(name, getattr(self, name), _MANY, 100)
        check_range("deadline", self.deadline, 0.001, 3_600, 2.0)
        check_range("receive", self.receive, 0.001, 3_600, 10.0)

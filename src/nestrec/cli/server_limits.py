"""Options of `nestrec serve` for its limits and for what it does under load."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from nestrec.cli.error_messages import rename_options
from nestrec.cli.panels import LOAD
from nestrec.cli.shared_options import option

if TYPE_CHECKING:
    from nestrec.serving.limits import Limits
    from nestrec.serving.narrowing import Narrowing


@dataclass(frozen=True)
class ServerLimits:
    """Limits of a server; a test holds the defaults to those of the library."""

    panel: ClassVar[str] = LOAD

    max_k: Annotated[int, option("N", "Items of a list, at most.")] = 1_000
    max_users: Annotated[int, option("N", "Users of a batch, at most.")] = 1_000
    max_body: Annotated[int, option("BYTES", "Size of a request's body, at most.")] = 1_000_000
    in_flight: Annotated[int, option("N", "Requests answered or waiting at once; more are rejected with 429.")] = 64
    deadline: Annotated[float, option("S", "Seconds until a request is answered with 503.")] = 2.0
    narrow_from: Annotated[
        float, option("SHARE", "Narrow answers from this share of --in-flight on; 1 never narrows.")
    ] = 0.25

    def limits(self) -> Limits:
        """Return the limits; raise OptionError for values out of range."""
        from nestrec.serving.limits import Limits

        with rename_options(k="max_k", users="max_users", body="max_body"):
            return Limits(
                k=self.max_k,
                users=self.max_users,
                body=self.max_body,
                in_flight=self.in_flight,
                deadline=self.deadline,
            )

    def narrowing(self) -> Narrowing:
        """Return what is done under load; raise OptionError for a share out of range."""
        from nestrec.serving.narrowing import Narrowing

        return Narrowing(self.narrow_from)

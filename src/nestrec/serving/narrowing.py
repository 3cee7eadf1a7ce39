"""Answer at narrower widths under load: requests that name no width get a narrower one before any is rejected."""

from __future__ import annotations

from dataclasses import dataclass

from nestrec.arguments import check_range
from nestrec.serving.served_model import ServedModel


@dataclass(frozen=True)
class Narrowing:
    """Chooses a width by how full the server is: requests in flight, as a share of the most that are admitted."""

    start: float = 0.25
    """Share from which on answers are narrowed; 1: never."""

    def __post_init__(self) -> None:
        """Validate the share."""
        check_range("narrow_from", self.start, 0, 1, 0.25)

    def choose(self, served: ServedModel, fullness: float) -> int:
        """Return the width for a request without one: the widest below the start, the narrowest where it is full.

        Widths that are not clearly quicker than the next wider one are left out.
        """
        if fullness < self.start or self.start >= 1:
            return served.widest
        widths = served.narrower
        steps = len(widths) - 1
        depth = (fullness - self.start) / (1 - self.start)
        return widths[min(steps, 1 + int(depth * steps))] if steps else served.widest

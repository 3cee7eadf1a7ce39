"""Hold out a part of the new interactions: the model has been trained on all of the old ones."""

from __future__ import annotations

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import Split


def hold_out(
    validation: Split | Interactions | None, new: Interactions | None
) -> tuple[Interactions | None, Interactions | None]:
    """Return the new interactions to train on first, and the held-out ones."""
    if isinstance(validation, Interactions):
        return new, validation
    if validation is None or new is None:  # a split of nothing has been refused
        return new, None
    return validation.split(new)

"""Hold out a part of the new interactions: the model has been trained on all of the old ones."""

from __future__ import annotations

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import Split
from nestrec.errors import OptionError


def hold_out(
    validation: Split | Interactions | None, new: Interactions | None
) -> tuple[Interactions | None, Interactions | None]:
    """Return the new interactions to train on first, and the held-out ones; raise OptionError if none are new."""
    if validation is None or isinstance(validation, Interactions):
        return new, validation
    if new is None:
        raise OptionError(
            f"validation must be left out without new interactions, of which it holds out a part; got {validation}",
            option="validation",
        )
    return validation.split(new)

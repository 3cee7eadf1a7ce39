"""Lists written with commas (`4,8,16`), as options take them."""

from __future__ import annotations

from nestrec.errors import OptionError


def whole_numbers(option: str, text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 4,8,16; raise OptionError for anything else.

    >>> whole_numbers("--widths", "4, 8,16")
    (4, 8, 16)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(
            f"{option} {text!r} is no list of whole numbers; separate them by commas, as in 4,8,16"
        ) from error


def numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the numbers of a list such as 1,0.5,2; raise OptionError for anything else.

    >>> numbers("--level-weights", "1,0.5")
    (1.0, 0.5)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} {text!r} is no list of numbers; separate them by commas, as in 1,1,2") from error

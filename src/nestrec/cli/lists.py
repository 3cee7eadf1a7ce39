"""Options that are comma-separated lists, such as `4,8,16`."""

from __future__ import annotations

from nestrec.errors import OptionError


def parse_integers(option: str, text: str) -> tuple[int, ...]:
    """Return the numbers of a list such as 4,8,16; raise OptionError for anything else.

    >>> parse_integers("--widths", "4, 8,16")
    (4, 8, 16)
    """
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} must be integers separated by commas, such as 4,8,16; got {text!r}") from error


def parse_numbers(option: str, text: str) -> tuple[float, ...]:
    """Return the numbers of a list such as 1,0.5,2; raise OptionError for anything else.

    >>> parse_numbers("--level-weights", "1,0.5")
    (1.0, 0.5)
    """
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise OptionError(f"{option} must be numbers separated by commas, such as 1,1,2; got {text!r}") from error

"""The ladder of widths: which prefixes of a vector are trained and served, and what each weighs in the loss."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from nestrec.arguments import check_integer, check_integers
from nestrec.errors import OptionError

LARGEST_EMBEDDING_SIZE = 1024


@dataclass(frozen=True)
class Widths:
    """Ascending, unique, positive prefix lengths; the last one is the embedding size.

    >>> ladder = Widths((4, 8, 16))
    >>> ladder.embedding_size, ladder.level_of(8)
    (16, 1)
    >>> list(ladder.up_to(8))
    [4, 8]
    """

    values: tuple[int, ...]

    def __init__(self, values: Iterable[int] | int) -> None:
        """Check the ladder once, which may be a single width; inside the library it is not checked again."""
        object.__setattr__(self, "values", _checked(values))

    @property
    def embedding_size(self) -> int:
        """The widest width: the full size of a vector."""
        return self.values[-1]

    def level_of(self, width: int) -> int:
        """Return the position of a width in the ladder; raise OptionError for one that is not in it."""
        if check_integer("width", width, self.embedding_size) not in self.values:
            choices = ", ".join(map(str, self.values))
            raise OptionError(f"width {width} was not trained; choose one of {choices}")
        return self.values.index(int(width))

    def up_to(self, width: int) -> Widths:
        """Return the ladder cut after a width that is in it."""
        return Widths(self.values[: self.level_of(width) + 1])

    def __iter__(self) -> Iterator[int]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)


def _checked(values: Iterable[int] | int) -> tuple[int, ...]:
    ladder = check_integers("widths", values, "4, 8, 16, 32, 64")
    if not ladder:
        raise OptionError("no width was given; name at least one, as in 4,8,16,32,64")
    if ladder[0] < 1 or any(a >= b for a, b in pairwise(ladder)):
        raise OptionError(
            f"widths must be positive, ascending and unique; got {','.join(map(str, ladder))}", option="widths"
        )
    if ladder[-1] > LARGEST_EMBEDDING_SIZE:
        raise OptionError(f"width {ladder[-1]} is too large; the widest is {LARGEST_EMBEDDING_SIZE}")
    return ladder

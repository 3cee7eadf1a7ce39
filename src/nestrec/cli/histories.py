"""Files of --history: interactions of new users, or the items of one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.cli.file_heads import read_head
from nestrec.cli.id_files import read_ids
from nestrec.cli.reading import read_with_progress
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary


def read_histories(
    path: Path, items: Vocabulary, weight_column: str | None, threads: int | None
) -> Interactions | list[str]:
    """Return the interactions of new users; a list of item ids for a text file with a single column."""
    from nestrec.data.read_options import ReadOptions

    if _has_one_column(path):
        if weight_column is not None:
            raise OptionError(f"--weight-column needs interactions with weights, and {path} has one column")
        return list(read_ids(path, items, "item"))
    return read_with_progress(path, ReadOptions(weight_column=weight_column, threads=threads), for_training=False)


def split_histories(histories: Interactions, size: int) -> Iterator[Interactions]:
    """Yield the interactions of at most `size` users at a time."""
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary

    for start in range(0, histories.n_users, size):
        indptr = histories.indptr[start : start + size + 1]
        entries = slice(int(indptr[0]), int(indptr[-1]))
        yield Interactions(
            Vocabulary(histories.users.ids[start : start + size]),
            histories.items,
            indptr - indptr[0],
            histories.indices[entries],
            weights=None if histories.weights is None else histories.weights[entries],
        )


def _has_one_column(path: Path) -> bool:
    """Tell whether the first line of a text file is one value; not of standard input."""
    head = read_head(path)
    return head.is_text and len(head.names) == 1

"""Files of --history: interactions of new users, or the items of one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from nestrec.cli.console import say
from nestrec.cli.file_heads import read_head
from nestrec.cli.id_files import read_ids
from nestrec.cli.panels import USERS
from nestrec.cli.reading import Reading, read_with_progress
from nestrec.cli.remembered_reading import RememberedReading
from nestrec.cli.shared_options import option
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.read_options import ReadOptions
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings


@dataclass(frozen=True)
class HistoryReading:
    """How a file of histories is read."""

    panel: ClassVar[str] = USERS

    user_column: Annotated[
        str | None, option("COLUMN", "User column of --history, by name or position.", "as of the training data")
    ] = None
    item_column: Annotated[
        str | None, option("COLUMN", "Item column of --history, likewise.", "as of the training data")
    ] = None
    min_rating: Annotated[
        float | None, option("NUMBER", "Drop rows of --history rated below this.", "as of the training data")
    ] = None
    weight_column: Annotated[
        str | None, option("COLUMN", "Column of weights in --history, by name or position.", "none")
    ] = None

    def check(self, history: Path | None) -> None:
        """Raise OptionError for an option without --history."""
        for field in fields(self):
            if getattr(self, field.name) is not None and history is None:
                raise OptionError(f"{field.name} needs --history FILE", option=field.name)

    def read(self, path: Path, model: NestedEmbeddings, threads: int | None) -> Interactions | list[str]:
        """Return the interactions of new users; a list of item ids for a text file with a single column.

        Pairs that a minimum rating or their weights drop are dislikes of their users: seen, and not folded in.
        """
        if _has_one_column(path):
            for field in fields(self):
                if getattr(self, field.name) is not None:
                    rule = f"{field.name} needs interactions of users and items, and {path} has one column"
                    raise OptionError(rule, option=field.name)
            return list(read_ids(path, model.items, "item"))
        given = Reading(user_column=self.user_column, item_column=self.item_column, min_rating=self.min_rating)
        reading = RememberedReading.of(model.manifest).complete_history(path, given)
        options = reading.options(weight_column=self.weight_column, threads=threads)
        return _keep_dropped(path, options, read_with_progress(path, options, for_training=False))


def _keep_dropped(path: Path, options: ReadOptions, kept: Interactions) -> Interactions:
    """Return the interactions with the pairs that ratings or weights drop as dislikes; the file is read again."""
    from nestrec.data.cold_ids import restrict_to
    from nestrec.data.dislikes import with_dislikes
    from nestrec.data.reading import read_interactions

    if options.min_rating is None and options.weight_column is None:
        return kept
    if str(path) == "-" or not (path.is_file() or path.is_dir()):
        say(f"{path} can be read only once, so rows that are dropped do not count as seen; give a file for that")
        return kept
    plain = replace(options, min_rating=None, repeats=None, weight_column=None)
    seen = read_interactions(path, options=plain)
    return with_dislikes(restrict_to(kept, kept.users, seen.items), seen)


def split_histories(histories: Interactions, size: int) -> Iterator[Interactions]:
    """Yield the interactions of at most `size` users at a time."""
    from nestrec.data.vocabulary import Vocabulary

    for start in range(0, histories.n_users, size):
        users, rows = Vocabulary(histories.users.ids[start : start + size]), slice(start, start + size)
        block, dislikes = _select_rows(histories, users, rows), histories.dislikes
        yield block if dislikes is None else replace(block, dislikes=_select_rows(dislikes, users, rows))


def _select_rows(histories: Interactions, users: Vocabulary, rows: slice) -> Interactions:
    from nestrec.data.interactions import Interactions

    indptr = histories.indptr[rows.start : rows.stop + 1]
    entries = slice(int(indptr[0]), int(indptr[-1]))
    weights = None if histories.weights is None else histories.weights[entries]
    return Interactions(users, histories.items, indptr - indptr[0], histories.indices[entries], weights=weights)


def _has_one_column(path: Path) -> bool:
    """Tell whether the first line of a text file is one value; not of standard input."""
    head = read_head(path)
    return head.is_text and len(head.names) == 1

"""Files of --allow and --deny: item ids for all queries, or pairs of a query and an item, a list for each query."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestrec.cli.console import say
from nestrec.cli.file_heads import Head, read_head
from nestrec.cli.id_files import are_pairs, is_usual, read_ids
from nestrec.data.read_report import format_count
from nestrec.errors import DataError, UnknownIdError

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings

_SHOWN = 5
_PREFIX = re.compile(r"similar[\W_]*", re.IGNORECASE)


@dataclass(frozen=True)
class ItemChoices:
    """Reads files of items for the queries of a command: users, or the items of `nestrec similar`."""

    items: Vocabulary
    queries: Vocabulary  # ids that pairs may name
    noun: str = "user"  # a query
    lack: str = "unknown to the model"  # what messages say of an id that is not among the queries
    skip_unknown: bool = False

    def read(self, path: Path | None, *, may_be_empty: bool = False) -> list[str] | Interactions | None:
        """Return the item ids of a file or its pairs, whose users are the queries; print what pairs are read as.

        Pairs have a header that names both columns, as outputs have, or rows of which most are a known query and a
        known item. Raises DataError where pairs cannot be told from single ids, UnknownIdError for pairs without a
        known query.
        """
        if path is None:
            return None
        head = read_head(path)
        columns = self._find_pair_columns(head, path)
        if columns is not None and not (may_be_empty and self._has_only_names(path, head, columns)):
            return self._read_pairs(path, columns)
        ids: list[str] = []
        if columns is None:
            owners = self.queries if not head.names else None  # standard input, which cannot be read twice
            ids = list(read_ids(path, self.items, "item", owners=owners, may_be_empty=may_be_empty))
        if not ids:
            say(f"{path} holds no ids: nothing is denied")
        return ids

    def _find_pair_columns(self, head: Head, path: Path) -> dict[str, Any] | None:
        """Return the reading options of pairs, None for a file of item ids."""
        similar = next((name for name in head.names if _is_similar_item(name)), None)
        item = next((name for name in head.names if is_usual(name, "item")), None)
        no_words = {"na_values": ()} if head.is_text else {}  # for a missing id: files of ids have none either
        if self.noun == "user" and head.has_names("user", "item"):
            return no_words
        if similar is not None and item is not None:
            if self.noun == "user":
                raise DataError(f"{path} has two columns of items, {item} and {similar}; keep the one that is meant")
            return {**no_words, "user_column": item, "item_column": similar}
        if len(head.names) < 2 or item is not None or head.has_names("user"):
            return None
        if not head.is_text or not are_pairs(head.rows, self.queries, self.items, str(path)):
            return None
        layout = {"delimiter": head.delimiter, "header": False}
        return {**no_words, **layout, "user_column": 1, "item_column": 2}

    def _has_only_names(self, path: Path, head: Head, columns: dict[str, Any]) -> bool:
        """Tell whether a file of pairs has a header and no rows."""
        if head.is_text:
            return len(head.lines) == 1 and "header" not in columns
        return next(read_ids(path, self.items, "item", may_be_empty=True), None) is None

    def _read_pairs(self, path: Path, columns: dict[str, Any]) -> Interactions:
        from nestrec.cli.reading import read_with_progress
        from nestrec.data.read_options import ReadOptions

        pairs = read_with_progress(path, ReadOptions(rating_column="", **columns), for_training=False)
        self._report_queries(path, pairs)
        return pairs

    def _report_queries(self, path: Path, pairs: Interactions) -> None:
        """Print how many queries have lists, known and unknown ones; raise UnknownIdError if all are unknown."""
        unknown = pairs.users.ids[self.queries.index_of(pairs.users.ids, unknown="mark") < 0]
        n_known = pairs.n_users - len(unknown)
        if n_known:
            say(f"{path}: a list of items for each of {format_count(n_known, self.noun)}")
        if not len(unknown):
            return
        shown = ", ".join(map(repr, unknown[:_SHOWN].tolist())) + (", …" if len(unknown) > _SHOWN else "")
        if not n_known and not self.skip_unknown:
            raise UnknownIdError(
                f"{path} must hold lists of known {self.noun}s, such as {self.queries.ids[:1].tolist()[0]!r}; all of "
                f"its {format_count(len(unknown), self.noun)} are {self.lack}: {shown}; correct the ids, or give "
                "--skip-unknown"
            )
        say(f"{path}: skipped the lists of {format_count(len(unknown), self.noun)} {self.lack}: {shown}")


def _is_similar_item(name: str) -> bool:
    """Tell whether a column is that of the neighbours in an output of `nestrec similar`."""
    rest, n = _PREFIX.subn("", name.strip(), count=1)
    return n == 1 and is_usual(rest, "item")


def announce_matches(model: NestedEmbeddings, where: str | None) -> bool:
    """Print on stderr how many items meet the condition of --where; return whether any may."""
    if where is None or model.item_table is None:  # an error later
        return True
    n = len(model.item_table.select_rows(where))
    if n:
        say(f"{n:,} of {format_count(model.n_items, 'item')} meet --where")
    else:
        say(f"No item of the model meets --where {where}")
    return n > 0

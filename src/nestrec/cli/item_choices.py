"""Files of --allow and --deny: item ids for all, or pairs of users and items, which give each user a list."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nestrec.cli.console import say
from nestrec.cli.id_files import is_usual, read_ids, split_fields
from nestrec.data.read_report import format_count

if TYPE_CHECKING:
    from nestrec.data.interactions import Interactions
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings

_HEAD = 1 << 16  # bytes
_DELIMITERS = (",", "\t", ";")


def read_item_choice(path: Path | None, items: Vocabulary, *, by_user: bool) -> list[str] | Interactions | None:
    """Return the item ids of a file; where its header names users and items and `by_user` is True, its pairs."""
    if path is None:
        return None
    names, is_delimited = read_column_names(path) if by_user else ([], False)
    if not all(any(is_usual(name, role) for name in names) for role in ("user", "item")):
        return list(read_ids(path, items, "item"))
    from nestrec.cli.reading import read_with_progress
    from nestrec.data.read_options import ReadOptions

    no_words = () if is_delimited else None  # for a missing id: files of ids have none either
    pairs = read_with_progress(path, ReadOptions(rating_column="", na_values=no_words), for_training=False)
    say(f"{path}: a list of items for each of {format_count(pairs.n_users, 'user')}")
    return pairs


def announce_matches(model: NestedEmbeddings, where: str | None) -> None:
    """Print on stderr how many items meet the condition of --where."""
    if where is None or model.item_table is None:  # an error later
        return
    n = len(model.item_table.select_rows(where))
    if n:
        say(f"{n:,} of {format_count(model.n_items, 'item')} meet --where")
    else:
        say(f"No item of the model meets --where {where}")


def read_column_names(path: Path) -> tuple[list[str], bool]:
    """Return the names of a file's columns, none of standard input, and whether it is delimited text."""
    from nestrec.data.readers.byte_source import ByteSource
    from nestrec.data.readers.location import locate
    from nestrec.data.readers.parquet import read_parquet_names

    location = locate(path)
    if location.is_standard_input:
        return [], False
    with closing(ByteSource(location)) as source:
        if source.format is not None:
            return (read_parquet_names(source) if source.format.name == "parquet" else []), False
        lines = source.head(_HEAD).decode("utf-8", "replace").splitlines()
    first = next((line for line in lines if line.strip()), "")
    if first.lstrip().startswith("{"):
        return list(_parse_object(first)), False
    return max((split_fields(first, delimiter) for delimiter in _DELIMITERS), key=len), True


def _parse_object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

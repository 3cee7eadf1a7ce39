"""Files of ids to remove from a model: where a wrong column costs most, the column must be certain, and is printed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from nestrec.cli.console import say
from nestrec.cli.file_heads import read_head
from nestrec.cli.id_files import IdColumn, is_usual, read_ids
from nestrec.data.read_report import format_count
from nestrec.errors import DataError

if TYPE_CHECKING:
    from nestrec.data.vocabulary import Vocabulary


def read_removed(
    path: Path | None, known: Vocabulary, role: str, *, owners: Vocabulary | None = None
) -> list[str] | None:
    """Return the ids of a file to remove, and print how many and from which column; `role` is user or item.

    Arguments as in `read_ids`. Raises DataError also for several columns of which none has a usual name, unless the
    first row holds an id of the model in its first column.
    """
    if path is None:
        return None
    columns: list[IdColumn] = []

    def check(column: IdColumn) -> None:
        _check_column(column, path, role)
        columns.append(column)

    ids = list(read_ids(path, known, role, owners=owners, on_column=check))
    where = _describe(columns[0]) if columns else _describe_key(path, role)
    say(f"{path}: {format_count(len(ids), f'{role} id')} to remove{where}")
    return ids


def _check_column(column: IdColumn, path: Path, role: str) -> None:
    if len(column.first_row) > 1 and not column.is_named and not column.is_id:
        raise DataError(
            f"{path} must have a column with a usual name for {role}s, such as {role}_id, or ids of the model in its "
            f"first column, got {', '.join(column.first_row)}; rename the column, or give the ids alone"
        )


def _describe(column: IdColumn) -> str:
    if column.is_named:
        return f", from column {column.first_row[column.place]}"
    return ", from the first column" if len(column.first_row) > 1 else ", one per line"


def _describe_key(path: Path, role: str) -> str:
    """Describe the column of Parquet, or the key of JSON objects."""
    head = read_head(path)
    names = [] if head.is_text else list(head.names)
    name = next((name for name in names if is_usual(name, role)), names[0] if names else None)
    return "" if name is None else f", from column {name}"

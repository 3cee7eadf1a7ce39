"""Write what an update changed to a file, for a vector store: ids, what happened to each, and in Parquet vectors."""

from __future__ import annotations

import csv
from collections.abc import Callable
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.atomic.output_file import atomic_file
from nestrec.data.ids import IdArray, as_text
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.parquet import register_columns, write_parquet
from nestrec.updating.changes import Changes, SideChanges, SideName

KINDS = ("changed", "added", "removed")


class _Rows(NamedTuple):
    """The columns of the file."""

    sides: list[SideName]
    ids: IdArray
    kinds: list[str]
    vectors: Float32Array  # (n, embedding_size); zeros for what was removed


def check_changes_path(path: str | PathLike[str]) -> None:
    """Raise OptionError unless the name ends with a format that can be written."""
    if Path(path).suffix.lower() not in _WRITERS:
        raise OptionError(f"changed_out must end with one of {', '.join(_WRITERS)}, got {path}", option="changed_out")


def write_changes(
    changes: Changes, model: NestedEmbeddings, path: str | PathLike[str], *, overwrite: bool = False
) -> None:
    """Write the changed, added and removed ids of users and items, a row each; in Parquet with the new vectors.

    Columns: `side` (user or item), `id`, `change` (changed, added or removed) and, in Parquet, `vector`, which is null
    for what was removed. Ids are text if those of one side are. Raises OptionError for a name that ends neither with
    .csv nor with .parquet.
    """
    check_changes_path(path)
    rows = _gather(changes, model)
    with atomic_file(path, overwrite=overwrite) as partial:
        _WRITERS[Path(path).suffix.lower()](rows, partial)


def _gather(changes: Changes, model: NestedEmbeddings) -> _Rows:
    users = _gather_side(changes.users, "user", model.users.index_of, model.user_embeddings)
    items = _gather_side(changes.items, "item", model.items.index_of, model.item_embeddings)
    ids = (users.ids, items.ids) if users.ids.dtype == items.ids.dtype else (as_text(users.ids), as_text(items.ids))
    return _Rows(
        users.sides + items.sides,
        np.concatenate(ids),
        users.kinds + items.kinds,
        np.concatenate([users.vectors, items.vectors]),
    )


def _gather_side(of: SideChanges, side: SideName, index_of: Callable[..., Any], table: Float32Array) -> _Rows:
    parts: tuple[IdArray, ...] = (of.changed, of.added, of.removed)
    if len({part.dtype.kind for part in parts}) > 1:  # a text id came or went among whole numbers
        parts = tuple(map(as_text, parts))
    kinds = [kind for kind, part in zip(KINDS, parts, strict=True) for _ in part]
    present = np.concatenate([table[index_of(part)] for part in (of.changed, of.added)])
    vectors = np.concatenate([present, np.zeros((len(of.removed), table.shape[1]), dtype=np.float32)])
    return _Rows([side] * len(kinds), np.concatenate(parts), kinds, vectors)


def _write_csv(rows: _Rows, partial: Path) -> None:
    with partial.open("w", encoding="utf-8", newline="") as file:
        # All text in quotes: readers alter none of it.
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        file.write("side,id,change\n")
        writer.writerows(zip(rows.sides, rows.ids.tolist(), rows.kinds, strict=True))


def _write_parquet(rows: _Rows, partial: Path) -> None:
    dimensions = [f"d{number}" for number in range(rows.vectors.shape[1])]
    columns: dict[str, npt.NDArray[Any]] = {
        "side": np.array(rows.sides, dtype=object),
        "id": rows.ids,
        "change": np.array(rows.kinds, dtype=object),
        **dict(zip(dimensions, np.ascontiguousarray(rows.vectors.T), strict=True)),
    }

    def query(database: Any) -> Any:
        block = register_columns(database, columns)
        vector = f"CASE WHEN change = 'removed' THEN NULL ELSE [{', '.join(dimensions)}] END AS vector"
        return database.from_query(
            f"SELECT side::VARCHAR AS side, id, change::VARCHAR AS change, {vector} FROM ({block})"
        )

    write_parquet(partial, partial, query)


_WRITERS: dict[str, Callable[[_Rows, Path], None]] = {".csv": _write_csv, ".parquet": _write_parquet}

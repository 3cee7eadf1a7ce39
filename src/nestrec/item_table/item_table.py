"""The item table of a model: titles and other columns, one row for each item, and conditions over them.

It is a Parquet file with the rows in the order of the model's items, read when it is needed: opening a model reads
nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from nestrec.arguments import suggest
from nestrec.arrays import Int32Array
from nestrec.data.ids import TEXT
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, OptionError
from nestrec.item_table.description import Description
from nestrec.item_table.open_file import OpenFile

if TYPE_CHECKING:
    from nestrec.item_table.queries import TableQueries

_FEW = 1000  # titles that are read one by one, without the others

TextArray = npt.NDArray[Any]  # StringDType


@dataclass(frozen=True, eq=False, repr=False)
class ItemTable:
    """Titles and columns of a model's items; made by `NestedEmbeddings.with_item_table`.

    Any library that reads the Arrow C stream takes it as a table, such as `polars.DataFrame(model.item_table)`.

    >>> import nestrec
    >>> model = nestrec.NestedEmbeddings.from_arrays([[1.0]], [[1.0], [2.0]], widths=[1], items=["a", "b"])
    >>> table = {"id": ["b", "a"], "title": ["Rye", "Jam"], "price": [3, 5]}
    >>> model = model.with_item_table(table)
    >>> model.item_table.titles(["a", "b"]).tolist(), model.item_table.select("price < 4").tolist()
    (['Jam', 'Rye'], ['b'])
    """

    items: Vocabulary
    """Ids of the model's items, in the order of the rows."""
    file: OpenFile
    """The Parquet file."""
    description: Description
    """Columns, and counts of the rows that were read."""

    @property
    def columns(self) -> dict[str, str]:
        """Names of the columns and their types, as DuckDB names them."""
        return dict(self.description.columns)

    @property
    def title_column(self) -> str | None:
        """Name of the column of titles; None without one."""
        return self.description.title_column

    def titles(self, item_ids: npt.ArrayLike) -> TextArray:
        """Return the title of each id, in the shape given; empty text where there is none.

        Raises UnknownIdError for ids that the model does not know, OptionError for a table without titles.
        """
        return self.titles_at(self.items.index_of(item_ids))

    def titles_at(self, rows: npt.NDArray[np.integer]) -> TextArray:
        """Return the titles of these items, by index, in the shape given; -1 has none."""
        column, wanted = self.require_titles(), np.unique(rows)
        if len(wanted) > _FEW or "_all_titles" in self.__dict__:
            result: TextArray = self._all_titles[rows]
            return result
        found = self._queries.read_texts(column, wanted)
        texts = [found.get(row) or "" for row in np.asarray(rows).ravel().tolist()]
        return np.array(texts, dtype=TEXT).reshape(np.shape(rows))

    def values_of(self, column: str) -> tuple[Int32Array, TextArray]:
        """Return row and value, as text, of every value of a column: several of an item for a list, none for null.

        Raises OptionError for a column that the table lacks.
        """
        self.require_column(column)
        return self._queries.read_values(column, is_list=self.columns[column].endswith("[]"))

    def require_column(self, column: str) -> None:
        """Raise OptionError for a column that the table lacks."""
        if column not in self.columns:
            raise OptionError(
                f"column must be one of {', '.join(self.columns)}; got {column!r}{suggest(column, self.columns)}",
                option="column",
            )

    def select(self, where: str) -> npt.NDArray[Any]:
        """Return the ids of the items for which a condition holds, in the model's order.

        See docs/how-to/titles-and-filters.md for conditions. Raises OptionError, which points at the place, for what is
        not one.
        """
        return self.items.ids_at(self.select_rows(where))

    def select_rows(self, where: str) -> Int32Array:
        """Return the indices of the items for which a condition holds, ascending."""
        return self._queries.select_rows(where)

    def read_batches(self, n_rows: int) -> Iterator[dict[str, list[Any]]]:
        """Yield the columns of so many consecutive items at a time, in the model's order, as Python values."""
        return self._queries.read_batches(n_rows)

    def count_values(self) -> dict[str, int]:
        """Return for each column how many items have a value."""
        return self._queries.count_values()

    def reindex(self, items: Vocabulary) -> ItemTable:
        """Return the table for other items: of a model that gained or lost some. New ones have no values."""
        from nestrec.item_table.build import rearrange

        return ItemTable(items, *rearrange(self.file, self.description, self.items, items))

    def require_titles(self) -> str:
        """Return the column of titles; raise OptionError for a table without one."""
        if self.title_column is None:
            raise OptionError(
                f"the item table has no column of titles; its columns are {', '.join(self.columns)}; attach it again "
                "with title_column",
                mentions=("title_column",),
            )
        return self.title_column

    @cached_property
    def _all_titles(self) -> TextArray:
        return self._queries.read_all_texts(self.require_titles())

    @cached_property
    def _queries(self) -> TableQueries:
        from nestrec.item_table.queries import TableQueries

        return TableQueries(self.file, self.columns, len(self.items))

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return all rows, in the model's order, as an Arrow stream."""
        return self._queries.stream(requested_schema)

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.items)

    def __repr__(self) -> str:
        """Show the sizes and columns."""
        columns = ", ".join(self.columns)
        return f"<ItemTable: {self.description.n_described} of {len(self)} items described, columns {columns}>"

    def __reduce__(self) -> Any:
        """Pickle without connections."""
        return ItemTable, (self.items, self.file, self.description)


def check_item_table(table: ItemTable | None, items: Vocabulary) -> None:
    """Raise DataError for a table of other items than a model's."""
    if table is not None and table.items != items:
        raise DataError(
            f"the item table must be of the model's {len(items):,} items, got one of {len(table.items):,} others; use "
            "with_item_table, or item_table.reindex(model.items)"
        )

"""Options of commands that read an item table, and what they print of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

from nestrec.cli.console import say, warn
from nestrec.cli.panels import DATA
from nestrec.cli.shared_options import option
from nestrec.errors import DataError, OptionError

if TYPE_CHECKING:
    from nestrec.data.vocabulary import Vocabulary
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.item_table.build import ItemTableOptions
    from nestrec.item_table.item_table import ItemTable

ItemIdColumn = Annotated[
    str | None,
    option("COLUMN", "Column of item ids, by name or by position from 1.", "found by name and the model's ids"),
]
TitleColumn = Annotated[
    str | None, option("COLUMN", "Column of titles, by name or by position from 1.", "found by name")
]


@dataclass(frozen=True)
class TrainItemOptions:
    """The item table of a new model."""

    panel: ClassVar[str] = DATA

    items: Annotated[
        Path | None,
        option("FILE", "Item table: titles, and columns for --where of nestrec recommend. Formats as of FILE."),
    ] = None
    item_id_column: Annotated[
        str | None,
        option("COLUMN", "Id column of --items, by name or by position from 1.", "found by name and the ids"),
    ] = None
    title_column: Annotated[
        str | None, option("COLUMN", "Title column of --items, by name or by position from 1.", "found by name")
    ] = None

    def check(self) -> None:
        """Raise OptionError for an option without --items."""
        for name in ("item_id_column", "title_column"):
            if getattr(self, name) is not None and self.items is None:
                raise OptionError(f"{name} needs --items FILE, got none", option=name)

    def read(self, items: Vocabulary) -> ItemTable | None:
        """Return the item table for the items of the interactions, before a model is trained on them."""
        if self.items is None:
            return None
        from nestrec.item_table.build import ItemTableOptions

        return read_item_table(self.items, items, ItemTableOptions(self.item_id_column, self.title_column))


def read_item_table(path: Path, items: Vocabulary, options: ItemTableOptions, *, replaces: bool = False) -> ItemTable:
    """Return the item table in a file and print on stderr what was read and left out.

    Raises DataError for a file that does not look like an item table where it `replaces` one.
    """
    from nestrec.item_table.build import build_item_table
    from nestrec.item_table.item_table import ItemTable

    table = ItemTable(items, *build_item_table(path, items, options))
    for line in table.description.lines(len(items), "--title-column"):
        say(line)
    if table.description.warning is not None:
        if replaces:
            raise DataError(
                f"{table.description.doubt}; the item table that the model has is kept: give the file of items, or "
                "remove that table first with nestrec items MODEL --remove"
            )
        warn(f"Warning: {table.description.warning}")
    return table


def attach(model: NestedEmbeddings, table: ItemTable | None) -> NestedEmbeddings:
    """Return the model with a table that was read for the items of its interactions."""
    from dataclasses import replace

    if table is None:
        return model
    fitting = table if table.items == model.items else table.reindex(model.items)
    return replace(model, item_table=fitting, check=False)

"""`nestrec items`: attach a table of titles and other columns to a model's items, or replace or remove it.

Examples:
  nestrec items model movies.csv
  nestrec items model products.parquet --item-id-column sku
  nestrec items model u.item --no-header --item-id-column 1 --title-column 2
  nestrec items model --remove

Titles are then shown by nestrec recommend and similar, and --where filters by the columns.

"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from nestrec.cli.console import say
from nestrec.cli.item_table_options import ItemIdColumn, TitleColumn, read_item_table
from nestrec.cli.reading import SOURCES
from nestrec.cli.shared_options import ModelFolder, flag, option
from nestrec.errors import OptionError


def items(
    model: ModelFolder,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help=f"Item table. {SOURCES}", show_default=False)
    ] = None,
    item_id_column: ItemIdColumn = None,
    title_column: TitleColumn = None,
    list_separator: Annotated[
        str, option("TEXT", "Separator in cells that hold lists, such as Comedy|Drama; '' reads them as text.")
    ] = "|",
    delimiter: Annotated[
        str | None, option("TEXT", "Field delimiter, such as ';' or '::'; \\t is a tab.", "detected")
    ] = None,
    encoding: Annotated[str | None, option("NAME", "Text encoding, such as latin-1.", "UTF-8")] = None,
    header: Annotated[
        bool | None, typer.Option("--header/--no-header", help="The first line is a header.", show_default="detected")
    ] = None,
    remove: Annotated[bool, flag("--remove", "Remove the item table.")] = False,
) -> None:
    """Attach an item table to a model: titles, and columns to filter by."""
    if (file is None) != remove:
        raise OptionError("give either FILE, an item table, or --remove")
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.item_table.build import ItemTableOptions
    from nestrec.item_table.description import SECTION
    from nestrec.item_table.sources import TextLayout

    loaded = NestedEmbeddings.load(model, item_table=False)
    table = None
    if file is not None:
        layout = TextLayout(delimiter and delimiter.replace("\\t", "\t"), encoding, header)
        options = ItemTableOptions(item_id_column, title_column, list_separator, layout)
        table = read_item_table(file, loaded.items, options, replaces=SECTION in loaded.manifest)
    replace(loaded, item_table=table, check=False).save(model, overwrite=True)
    say(f"Removed the item table of {model}." if table is None else f"Wrote {model}.")

"""What the tables of a store look like: sides, widths, types of ids, and columns beside the vectors."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import list_columns, rename_column

Quantization = Literal["int8", "bf16"]

SEEN = "seen"  # column of users: ids of the items in their training interactions


class SideLayout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The table of items or of users."""

    id_type: Literal["BIGINT", "VARCHAR"]
    columns: dict[str, str] = {}
    """Name and type, as DuckDB names it, of each column beside id and vectors."""
    title_column: str | None = None


class Layout(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The tables of a store."""

    widths: tuple[int, ...]
    """Ascending. The last one is the size of the stored vectors, the others are their prefixes."""
    items: SideLayout | None = None
    users: SideLayout | None = None
    quantize: Quantization | None = None

    @property
    def size(self) -> int:
        """Dimensions of the stored vectors."""
        return self.widths[-1]

    @property
    def sides(self) -> tuple[Side, ...]:
        """The sides that are stored."""
        present: list[tuple[Side, SideLayout | None]] = [("items", self.items), ("users", self.users)]
        return tuple(name for name, side in present if side is not None)

    def side(self, name: Side) -> SideLayout:
        """Return the table of a side; raise OptionError where it is not stored."""
        found = self.items if name == "items" else self.users
        if found is None:
            raise OptionError(f"side must be one that is stored, {', '.join(self.sides)}; got {name}", option="side")
        return found


def describe_layout(
    model: NestedEmbeddings, sides: tuple[Side, ...], widths: tuple[int, ...], quantize: Quantization | None
) -> Layout:
    """Return the layout for the sides and widths of a model."""
    return Layout(
        widths,
        items=_describe_items(model) if "items" in sides else None,
        users=_describe_users(model) if "users" in sides else None,
        quantize=quantize,
    )


def _describe_items(model: NestedEmbeddings) -> SideLayout:
    table = model.item_table
    if table is None:
        return SideLayout(_id_type(model.items))
    columns = {rename_column(name): kind for name, kind in list_columns(model).items()}
    title = None if table.title_column is None else rename_column(table.title_column)
    return SideLayout(_id_type(model.items), columns, title)


def _describe_users(model: NestedEmbeddings) -> SideLayout:
    return SideLayout(_id_type(model.users), {SEEN: f"{_id_type(model.items)}[]"})


def _id_type(vocabulary: Any) -> Literal["BIGINT", "VARCHAR"]:
    return "VARCHAR" if vocabulary.ids.dtype.kind == "T" else "BIGINT"

"""What an item table holds and how it came about; a section of a model's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from nestrec.data.read_report import format_count
from nestrec.errors import ModelFileError

SECTION = "item_table"  # of the manifest


class Description(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns of an item table and counts of its source: n_rows = n_described + all that was left out."""

    source: str
    id_column: str
    title_column: str | None
    columns: dict[str, str]  # name: type as DuckDB names it
    n_rows: int  # of the source
    n_described: int  # items of the model with a row
    n_unknown: int  # rows of ids that the model does not know
    n_repeated: int  # rows of an id that an earlier row has
    n_without_id: int
    notes: tuple[str, ...] = ()

    def as_manifest(self) -> dict[str, Any]:
        """Return the section."""
        section: dict[str, Any] = msgspec.to_builtins(self)
        return section

    def lines(self, n_items: int, title_option: str = "title_column") -> list[str]:
        """Return what to say of a table that was read; `title_option` is what names the column of titles."""
        share = f"{self.n_described:,} of {n_items:,} items of the model described"
        columns = f"ids {self.id_column}, titles {self.title_column or f'none (name them with {title_option})'}"
        left_out = {
            f"{format_count(self.n_unknown, 'row')} of ids that the model does not know": self.n_unknown,
            f"{format_count(self.n_repeated, 'row')} of an id that an earlier row has": self.n_repeated,
            f"{format_count(self.n_without_id, 'row')} without an id": self.n_without_id,
        }
        lines = [f"{self.source}: {format_count(self.n_rows, 'row')}, {share}; columns: {columns}"]
        lines += [f"left out {text}" for text, count in left_out.items() if count]
        return [*lines, *self.notes]

    @property
    def warning(self) -> str | None:
        """What to warn of a source that does not look like an item table."""
        return None if self.doubt is None else f"{self.doubt}; the first row of each is used"

    @property
    def doubt(self) -> str | None:
        """Why a source does not look like an item table: most rows repeat an item."""
        if 2 * self.n_repeated <= self.n_rows - self.n_without_id:
            return None
        return (
            f"{self.source} does not look like an item table, which has one row for each item: {self.n_repeated:,} of "
            f"{format_count(self.n_rows, 'row')} repeat an item, as interactions do"
        )


def read_description(manifest: Mapping[str, Any]) -> Description:
    """Return the section of a manifest; raise ModelFileError where it is not one."""
    try:
        return msgspec.convert(manifest.get(SECTION), Description)
    except msgspec.ValidationError as error:
        raise ModelFileError(
            f"the manifest does not describe its item table ({error}); attach it again: nestrec items"
        ) from error

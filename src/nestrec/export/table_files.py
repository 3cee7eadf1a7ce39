"""Files of a row for each id: Parquet, Arrow (Feather) and CSV, with titles and columns of the item table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nestrec.atomic.output_file import atomic_file
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OutputError
from nestrec.export.exporters import Side, select_side
from nestrec.export.item_columns import ID, VECTOR, list_columns, rename_column
from nestrec.export.parquet import ArrowColumns, copy_to, format_arrow_schema, open_database
from nestrec.extras import require


@dataclass(frozen=True)
class ParquetExporter:
    """A Parquet file of `id`, `vector`, a list of 32-bit floats, and the columns of the item table.

    Readers of Arrow's schema, such as pyarrow and polars, get lists of a fixed size.
    """

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`."""
        with atomic_file(path, overwrite=overwrite) as partial, _open_table(model, side, path) as table:
            schema = format_arrow_schema(table.id_type, table.columns, table.size)
            copy_to(table.database, table.query(VECTOR), partial, f"FORMAT parquet{schema}")


@dataclass(frozen=True)
class FeatherExporter:
    """An Arrow IPC file (Feather version 2) of `id`, `vector`, a fixed-size list, and the columns of the item table."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`; raises MissingExtraError without pyarrow."""
        require("pyarrow", "arrow", "a Feather file")
        arrow: Any = require("pyarrow.ipc", "arrow", "a Feather file")
        reader: Any = require("pyarrow", "arrow", "a Feather file").RecordBatchReader
        with atomic_file(path, overwrite=overwrite) as partial, _open_table(model, side, path) as table:
            query = table.query(f"{VECTOR}::FLOAT[{table.size}] AS {VECTOR}")
            batches = reader.from_stream(table.database.sql(query))
            with arrow.new_file(str(partial), batches.schema) as file:
                for batch in batches:
                    file.write_batch(batch)


@dataclass(frozen=True)
class CsvExporter:
    """Delimited text with a header: `id`, the columns of the item table, and d1, d2 and so on, a column a dimension."""

    delimiter: str = ","
    """Separates the fields."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`; a number is the shortest text that reads back as the same float32."""
        with atomic_file(path, overwrite=overwrite) as partial, _open_table(model, side, path) as table:
            dimensions = ", ".join(f"{VECTOR}[{at}] AS d{at}" for at in range(1, table.size + 1))
            delimiter = self.delimiter.replace("'", "''")
            texts = f", FORCE_QUOTE ({ID})" if table.id_type == "VARCHAR" else ""
            query = table.query(dimensions, vector_last=True)
            copy_to(table.database, query, partial, f"FORMAT csv, HEADER, DELIMITER '{delimiter}'{texts}")


@dataclass(frozen=True)
class _Table:
    """A side of a model, registered with duckdb."""

    database: Any
    id_type: str
    columns: dict[str, str]  # as they are written
    size: int
    originals: tuple[str, ...]  # names of the columns in the item table

    def query(self, vector: str, *, vector_last: bool = False) -> str:
        """Return the query of the rows, with this expression for the vector."""
        from nestrec.data.readers.duckdb_connection import quote_name

        pairs = zip(self.originals, self.columns, strict=True)
        others = [f"described.{quote_name(name)} AS {quote_name(new)}" for name, new in pairs]
        names = [f"plain.{ID}", *others, vector] if vector_last else [f"plain.{ID}", vector, *others]
        return f"SELECT {', '.join(names)} FROM plain{' POSITIONAL JOIN described' if others else ''}"


@contextmanager
def _open_table(model: NestedEmbeddings, side: Side, path: Path) -> Iterator[_Table]:
    """Register a side of a model with duckdb; raise OutputError, which names the path, where writing fails."""
    import duckdb

    ids, vectors = select_side(model, side)
    columns = list_columns(model) if side == "items" else {}
    id_type = "VARCHAR" if ids.dtype.kind == "T" else "BIGINT"
    try:
        with open_database() as database:
            database.register("plain", ArrowColumns({ID: ids, VECTOR: vectors}))
            if columns:
                database.register("described", model.item_table)
            renamed = {rename_column(name): kind for name, kind in columns.items()}
            yield _Table(database, id_type, renamed, vectors.shape[1], tuple(columns))
    except duckdb.Error as error:
        raise OutputError(f"{path} cannot be written ({error}); name another place") from error

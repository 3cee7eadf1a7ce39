"""Tables that speak the Arrow C stream, and Arrow files (Feather, IPC) through pyarrow where it is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import duckdb

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.duckdb_connection import shorten_message
from nestrec.data.readers.spooling import get_local_path
from nestrec.data.readers.tables import VIEW, TableReader, TableSource
from nestrec.errors import DataError, MissingExtraError


class ArrowStream(TableSource):
    """A table that speaks the Arrow C stream."""

    def __init__(self, table: Any, name: str, format_name: str = "table", resources: ExitStack | None = None) -> None:
        super().__init__(name, resources)
        self.format = format_name
        self._table = table
        self._error: BaseException | None = None

    def attach(self, connection: duckdb.DuckDBPyConnection) -> int | None:
        """Register this object, which shows duckdb the stream and nothing of the table's own library."""
        connection.register(VIEW, self)
        return None

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the table's stream, and remember the message of its library where that fails."""
        try:
            return self._table.__arrow_c_stream__(requested_schema)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as error:  # a panic of polars is no Exception
            self._error = error
            raise RuntimeError(str(error)) from error

    def explain(self, error: Exception, where: str) -> DataError:
        """Return the error with the message of the table's library."""
        return DataError(
            f"{self.name} failed while its rows were read{where}: {shorten_message(self._error or error)}; "
            "check that it can be read to its end"
        )

    @property
    def failed(self) -> bool:
        """Whether the table could not give its stream."""
        return self._error is not None

    def close(self) -> None:
        """Let go of the table."""
        self._table = None
        super().close()


class ArrowFile:
    """An Arrow file or stream on disk, as an object that speaks the Arrow C stream."""

    def __init__(self, path: Path, name: str) -> None:
        """Raise MissingExtraError where pyarrow is not installed, DataError where the file cannot be read."""
        try:
            import pyarrow as pa
            from pyarrow import ipc
        except ImportError as error:
            raise MissingExtraError(
                f"{name} is an Arrow file, which needs pyarrow to read: pip install pyarrow; or convert it to Parquet "
                "where pyarrow or polars is installed"
            ) from error
        self._arrow = pa
        with path.open("rb") as file:
            is_file = file.read(6) == b"ARROW1"
        try:
            self._memory = pa.memory_map(str(path))
            reader = ipc.open_file(self._memory) if is_file else ipc.open_stream(self._memory)
            self._schema = reader.schema
        except (pa.ArrowException, OSError, ValueError) as error:
            raise DataError(
                f"{name} is no Arrow file that can be read ({shorten_message(error)}); write or fetch it again"
            ) from error
        self._batches: Callable[[], Iterator[Any]] = lambda: (
            (reader.get_batch(place) for place in range(reader.num_record_batches)) if is_file else iter(reader)
        )

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        """Return the stream of its batches, each of them validated, since the file may be damaged."""
        reader = self._arrow.RecordBatchReader.from_batches(self._schema, self._validate_batches())
        return reader.__arrow_c_stream__(requested_schema)

    def _validate_batches(self) -> Iterator[Any]:
        for batch in self._batches():
            batch.validate(full=True)
            yield batch


def open_arrow(source: ByteSource, options: ReadOptions) -> TableReader:
    """Return the reader of an Arrow file."""
    with ExitStack() as resources, closing(source):
        table = ArrowFile(get_local_path(source, resources), source.path)
        stream = ArrowStream(table, source.path, "arrow", resources.pop_all())
    return TableReader(stream, options)

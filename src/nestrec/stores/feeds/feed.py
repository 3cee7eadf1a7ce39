"""What the exporters of feeds share: rows streamed to a file, beside a schema and templates of two-stage queries."""

from __future__ import annotations

import json
import re
import shutil
import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from nestrec.atomic.flushing import flush_file, flush_folder
from nestrec.atomic.output_file import check_output_folder
from nestrec.atomic.workspace import workspace
from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, OutputError
from nestrec.export.exporters import Side
from nestrec.item_table.column_types import classify_type
from nestrec.stores.json_values import as_json
from nestrec.stores.layout import Layout, SideLayout, describe_layout
from nestrec.stores.metadata import OperatingPoint
from nestrec.stores.model_rows import ModelRows, select_model_rows
from nestrec.stores.operating_points import measure_operating_points
from nestrec.stores.qdrant_points import NAMESPACE
from nestrec.stores.store import Rows

README = "README.md"
ROWS_AT_ONCE = 1_000
_LONGEST_ID = 512  # bytes
Name = Annotated[str, msgspec.Meta(pattern=r"\A[a-z][a-z0-9_]{0,60}\Z")]


@dataclass(frozen=True, eq=False)
class Feed:
    """The rows to write, with what the schema and the query say of them."""

    side: Side
    rows: ModelRows
    layout: Layout
    point: OperatingPoint
    """Recommended widths and shortlist; of users, and without a narrower width, all dimensions."""

    @property
    def table(self) -> SideLayout:
        """Types of ids and columns."""
        return self.layout.side(self.side)

    @property
    def widths(self) -> tuple[int, ...]:
        """Stored widths: that of the first stage, if there are two, and the widest."""
        return self.layout.widths

    def batches(self) -> Iterator[Rows]:
        """Yield all rows, some at a time."""
        n_rows = len(self.rows.selected)
        return self.rows.batches(np.arange(n_rows), np.zeros(n_rows, dtype=np.int64), ROWS_AT_ONCE)


@dataclass(frozen=True)
class FeedExporter(ABC):
    """Writes a folder: a schema, a feed of the rows, query templates and a README."""

    system: ClassVar[str]
    """Name of the server's software."""
    feed_file: ClassVar[str]
    loading: ClassVar[str]
    """How schema and feed are loaded, for the README."""

    index: Name = "nestrec"
    """Name of the index; _items or _users follow it."""
    prefix: int | None = None
    """Width of the first stage; None: that of the recommended operating point."""

    def export(self, model: NestedEmbeddings, path: Path, *, side: Side = "items", overwrite: bool = False) -> None:
        """See `Exporter`; the path is a folder."""
        feed = describe_feed(model, side, self.prefix)
        with _new_folder(path, overwrite=overwrite) as folder:
            for name, text in {**self.describe(feed), README: self._describe_files(feed)}.items():
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_text(text, encoding="utf-8")
            with (folder / self.feed_file).open("wb") as file:
                for rows in feed.batches():
                    file.writelines(self.encode(rows, feed))

    def index_name(self, feed: Feed) -> str:
        """Return the name of the index of a side."""
        return f"{self.index}_{feed.side}"

    @abstractmethod
    def describe(self, feed: Feed) -> dict[str, str]:
        """Return the text of each file but the feed: schema, and for items query templates."""

    @abstractmethod
    def encode(self, rows: Rows, feed: Feed) -> Iterator[bytes]:
        """Yield the feed's bytes for some rows."""

    def _describe_files(self, feed: Feed) -> str:
        point = feed.point
        stages = f"all {point.widths[0]} dimensions"
        if len(point.widths) > 1:
            stages = (
                f"{point.widths[0]} dimensions, a shortlist of {point.shortlist}, then all {point.widths[1]} "
                f"(recall {point.recall:.3f} of the best {point.k}, measured on {point.n_users} users, with an exact "
                "first stage)"
            )
        return "\n".join(
            [
                f"# Embeddings exported by nestrec for {self.system}",
                "",
                f"{len(feed.rows.selected):,} {feed.side}. {self.loading}",
                "",
                f"Search: {stages}. Scores are inner products of raw vectors: do not normalize them.",
                "Leave seen items out in the first stage, as the templates do: after it, the shortlist shrinks.",
                "",
            ]
        )


def describe_feed(model: NestedEmbeddings, side: Side, prefix: int | None) -> Feed:
    """Return the feed of a side; raise OptionError for a prefix that the model was not trained with."""
    size = model.embedding_size
    if side not in ("items", "users"):
        raise OptionError(f"side must be items or users, got {side!r}", option="side")
    rows = select_model_rows(model, side, size)
    narrow = tuple(width for width in model.widths if width < size)
    if prefix is not None and prefix not in narrow:
        raise OptionError(
            f"prefix must be one of {', '.join(map(str, narrow)) or 'no width'}, narrower than {size}; got {prefix}",
            option="prefix",
        )
    point = OperatingPoint(1.0, (size,), 10, 1.0, 10, 0)
    if side == "items":
        widths = (*narrow, size) if prefix is None else (prefix, size)
        point = measure_operating_points(model, rows.selected, size, widths)[-1]
    return Feed(side, rows, describe_layout(model, (side,), point.widths, None), point)


def vector_field(width: int) -> str:
    """Return the name of the field of a width's vectors.

    >>> vector_field(16)
    'vector_16'
    """
    return f"vector_{width}"


def document_id(identity: int | str) -> str:
    """Return the id of a document: the text of the own id, or a UUID made of it where it is empty or too long.

    >>> document_id(7), document_id("")
    ('7', '2e2abec7-cd91-55da-8fc9-a96261465b2c')
    """
    text = str(identity)
    return text if 0 < len(text.encode()) <= _LONGEST_ID else str(uuid.uuid5(NAMESPACE, text))


def flat_value(value: Any, kind: str) -> Any:
    """Return a value of a column; what is neither a plain value nor a list of them becomes JSON text."""
    family, _ = element_family(kind)
    return json.dumps(value, ensure_ascii=False) if family in ("other", "list") else value


def plain_names(columns: dict[str, str], system: str, taken: tuple[str, ...]) -> dict[str, str]:
    """Return a name of letters, digits and underscores for each column; raise OptionError where two would be one.

    >>> plain_names({"year": "BIGINT", "my genre": "VARCHAR"}, "Vespa", ("item_id",))
    {'year': 'year', 'my genre': 'my_genre'}
    """
    names: dict[str, str] = {}
    for column in columns:
        name = re.sub(r"[^A-Za-z0-9_]", "_", column)
        name = name if re.match(r"[A-Za-z]", name) else f"c_{name}"
        if name in (*names.values(), *taken):
            raise OptionError(f"the column {column!r} would be {name} in {system}, which is taken; rename it")
        names[column] = name
    return names


def element_family(kind: str) -> tuple[str, bool]:
    """Return the family of a column's values, and whether it has lists of them.

    >>> element_family("VARCHAR[]"), element_family("DECIMAL(9,2)"), element_family("BIGINT")
    (('text', True), ('decimal', False), ('integer', False))
    """
    is_list = kind.endswith("[]")
    element = kind.removesuffix("[]")
    family: str = classify_type(element)
    if family == "number":
        family = "decimal" if element in ("FLOAT", "DOUBLE") or element.startswith("DECIMAL") else "integer"
    return family, is_list


def list_documents(rows: Rows, feed: Feed) -> Iterator[tuple[Any, dict[str, Any], dict[int, list[float]]]]:
    """Yield own id, columns that have a value, and the vector of each width."""
    vectors = {width: rows.vectors[:, :width].tolist() for width in feed.widths}
    for at, identity in enumerate(rows.ids.tolist()):
        columns = {name: as_json(values[at]) for name, values in rows.columns.items() if values[at] is not None}
        yield identity, columns, {width: values[at] for width, values in vectors.items()}


def as_line(value: Any) -> bytes:
    """Return a line of JSON."""
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def as_text(value: Any) -> str:
    """Return indented JSON."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


@contextmanager
def _new_folder(path: Path, *, overwrite: bool) -> Iterator[Path]:
    """Yield a folder that takes the place of `path` when it is complete; an earlier feed is replaced with overwrite."""
    target = Path(path).absolute()
    if target.exists() and not overwrite:
        raise OutputError(
            f"{path} exists already; name another place or give overwrite=True", mentions=("overwrite=True",)
        )
    if target.exists() and not (target / README).is_file():
        raise OutputError(f"{path} must be a folder of an earlier feed to be replaced; name another place")
    check_output_folder(target.parent)
    target.parent.mkdir(parents=True, exist_ok=True)
    with workspace(target.parent, target.name) as content:
        folder = content / "new"
        folder.mkdir()
        yield folder
        _flush(folder)
        if target.exists():
            target.rename(content / "old")
        folder.rename(target)
        flush_folder(target.parent)
        shutil.rmtree(content / "old", ignore_errors=True)


def _flush(folder: Path) -> None:
    """Bring files and folders to the disk."""
    for entry in folder.rglob("*"):
        (flush_folder if entry.is_dir() else flush_file)(entry)
    flush_folder(folder)

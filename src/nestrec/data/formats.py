"""Formats of files: names, extensions, first bytes, the options that do not apply, and what opens them.

The one table that detection, validation of options and opening share. A format of another package joins it by an entry
point in group `nestrec.readers` that names a `Format`:

    [project.entry-points."nestrec.readers"]
    events = "my_package.events:FORMAT"
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from nestrec.errors import PluginError
from nestrec.plugins import merge_plugins

COLUMN_OPTIONS = ("user_column", "item_column", "rating_column", "timestamp_column", "weight_column")
DELIMITED_OPTIONS = ("header", "delimiter", "quote", "na_values")
TEXT_OPTIONS = (*DELIMITED_OPTIONS, "encoding")
SIGNAL_OPTIONS = ("rating_weights", "weight_transform", "half_life", "dislike_below")
SEQUENCE_OPTIONS = ("sequence", "sequence_separator")

# Made of letters alone, as the name of a column may be: these count only where a zero byte follows, as in no text.
_LETTERS = (b"PARE", b"FEA1", b"MATLAB 5.0 MAT-file", b"ORC", b"DUCK")


@dataclass(frozen=True)
class Format:
    """A format of files.

    >>> Format("events", "my_package.events:open_events", extensions=("ev",)).is_binary
    False
    """

    name: str
    opener: str | Callable[..., Any]
    """Reader class, or function of (ByteSource, ReadOptions), or where to import it from (`module:name`)."""
    extensions: tuple[str, ...] = ()
    """Extensions of file names in lower case, without the dot."""
    signatures: tuple[tuple[int, bytes], ...] = ()
    """Offset and bytes at the start of a binary file; without any, files are text, decoded to UTF-8."""
    excluded_options: tuple[str, ...] = ()
    """Fields of ReadOptions that do not apply; giving one is an error."""
    is_selectable: bool = True
    """Whether `format` may name it; otherwise its first bytes alone select it."""

    @property
    def is_binary(self) -> bool:
        """Whether its first bytes identify it."""
        return bool(self.signatures)

    def open(self, source: Any, options: Any) -> Any:
        """Return the reader of an opened file."""
        opener = self.opener
        if isinstance(opener, str):
            module, _, function = opener.partition(":")
            opener = getattr(import_module(module), function)
        return opener(source, options)


def _built_in(name: str, opener: str, *extensions: str, **fields: Any) -> Format:
    return Format(name, f"nestrec.data.readers.{opener}", extensions, **fields)


FORMATS: dict[str, Format] = {
    format_.name: format_
    for format_ in (
        _built_in("csv", "delimited:DelimitedReader", "csv"),
        _built_in("tsv", "delimited:TsvReader", "tsv"),
        _built_in("recbole", "delimited:RecBoleReader", "inter"),
        _built_in(
            "adjacency", "adjacency:AdjacencyReader",
            excluded_options=(
                *COLUMN_OPTIONS, *DELIMITED_OPTIONS, *SEQUENCE_OPTIONS, "min_rating", "repeats", "keep_timestamps",
                "time_format", *SIGNAL_OPTIONS,
            ),
        ),
        _built_in(
            "jsonl", "json_lines:JsonLinesReader", "jsonl", "ndjson", "json", excluded_options=DELIMITED_OPTIONS
        ),
        _built_in(
            "parquet", "parquet:open_parquet", "parquet", "pq",
            signatures=((0, b"PAR1"),), excluded_options=TEXT_OPTIONS,
        ),
        _built_in(
            "arrow", "arrow_files:open_arrow",
            signatures=((0, b"ARROW1\0\0"), (0, b"\xff\xff\xff\xff")), excluded_options=TEXT_OPTIONS,
            is_selectable=False,
        ),
        _built_in(
            "sqlite", "databases:open_sqlite",
            signatures=((0, b"SQLite format 3\0"),), excluded_options=(*TEXT_OPTIONS, *SEQUENCE_OPTIONS),
            is_selectable=False,
        ),
        _built_in(
            "duckdb", "databases:open_duckdb",
            signatures=((8, b"DUCK"),), excluded_options=TEXT_OPTIONS, is_selectable=False,
        ),
    )
}  # fmt: skip


@cache
def load_formats() -> dict[str, Format]:
    """Return all formats by name, those of other packages after the built-in ones."""
    formats = merge_plugins("nestrec.readers", dict(FORMATS))
    for name, format_ in formats.items():
        if not isinstance(format_, Format) or format_.name != name:
            raise PluginError(
                f"plug-in {name!r} of group nestrec.readers must be a Format of that name, got {format_!r}; correct it "
                "in its package, or uninstall the package"
            )
    return formats


def selectable_formats() -> tuple[str, ...]:
    """Return the names that the option `format` takes."""
    return tuple(name for name, format_ in load_formats().items() if format_.is_selectable)


def find_by_extension(extension: str) -> Format | None:
    """Return the format of files with this extension, or None.

    >>> find_by_extension("inter").name, find_by_extension("txt")
    ('recbole', None)
    """
    return _find(FORMATS, extension) or _find(load_formats(), extension)


def find_by_signature(head: bytes, extension: str) -> Format | None:
    """Return the binary format of a file by its first bytes, or None where it may be text."""
    known = FORMATS if _find(FORMATS, extension) else load_formats()
    return next((format_ for format_ in known.values() if _matches(format_, head)), None)


def has_signature(head: bytes, offset: int, signature: bytes) -> bool:
    """Return whether the bytes at an offset are those of a binary file, rather than letters of text."""
    found = head[offset : offset + len(signature)] == signature
    return found and (signature not in _LETTERS or b"\0" in head)


def _find(formats: dict[str, Format], extension: str) -> Format | None:
    return next((format_ for format_ in formats.values() if extension in format_.extensions), None)


def _matches(format_: Format, head: bytes) -> bool:
    return any(has_signature(head, offset, signature) for offset, signature in format_.signatures)

"""What a path names: a file, the files of a folder, standard input, or a part of a file (`FILE.zip::MEMBER`)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from nestrec.data.readers.packing import EXTENSIONS
from nestrec.errors import DataError

_STANDARD_INPUT = ("-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
_FETCH = {
    "http": "download it first, for example with `curl -LO URL`",
    "https": "download it first, for example with `curl -LO URL`",
    "ftp": "download it first, for example with `curl -O URL`",
    "s3": "copy it first, for example with `aws s3 cp URL .`",
    "gs": "copy it first, for example with `gcloud storage cp URL .`",
    "hdfs": "copy it first, for example with `hdfs dfs -get URL`",
    "hf": "download it first, for example with `hf download`",
    "file": "give the path alone, without file://",
}
_TABLE_FORMATS = {"_delta_log": "a Delta Lake table", ".hoodie": "a Hudi table"}
_NOT_DATA = (".crc", ".md5", ".sha256")


@dataclass(frozen=True)
class Location:
    """One file to read, or a part of it."""

    path: Path
    member: str | None = None  # of a zip archive, or a table of a database

    @property
    def is_standard_input(self) -> bool:
        """Whether this is `-` or another name of standard input."""
        return str(self.path) in _STANDARD_INPUT

    @property
    def is_folder(self) -> bool:
        """Return whether this is a folder; what cannot be looked at is none."""
        return not self.is_standard_input and os.path.isdir(self.path)  # noqa: PTH112 - it raises no OSError

    @property
    def name(self) -> str:
        """The name in messages."""
        if self.is_standard_input:
            return "standard input"
        return str(self.path) if self.member is None else f"{self.path}::{self.member}"


def locate(source: str | os.PathLike[str]) -> Location:
    """Return the location that a path names; a path is never a pattern.

    `::` separates a file from a part of it only where no file has the whole name. Raises DataError for URLs.

    >>> locate("shop.sqlite").member is None
    True
    """
    text = os.fsdecode(source)
    if not text:
        raise DataError("the path is empty; give the path of a file of interactions")
    if "\0" in text:
        raise DataError(f"the path {text!r} contains a NUL character; check the path")
    if not os.path.lexists(text):
        if url := _URL.match(text):
            how = _FETCH.get(url[1].lower(), "download it first")
            raise DataError(f"{text} is a URL, and only files of this machine are read; {how}")
        file, separator, member = text.rpartition("::")
        if separator and member and os.path.isfile(file):  # noqa: PTH113 - as the text stands
            return Location(Path(file), member)
    return Location(Path(text))


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder, and of its `key=value` folders, sorted.

    Names that begin with a dot or an underscore (`_SUCCESS`) are skipped. Raises DataError where there is no file,
    where kinds are mixed, and where other folders lie among the files.
    """
    files = _walk(folder, folder)
    if not files:
        raise DataError(f"{folder} is a folder without files of interactions; give a file, or a folder of files")
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        named = ", ".join(sorted(kind or "without extension" for kind in kinds))
        raise DataError(
            f"{folder} is a folder of files of different kinds ({named}); name the files that belong together, or move "
            "them to a folder of their own"
        )
    return files


def has_partitions(folder: Path, files: list[Path]) -> bool:
    """Return whether folders below this one name columns, as in `country=de/part-0.parquet`."""
    return any("=" in part for file in files for part in file.relative_to(folder).parts[:-1])


def _walk(top: Path, folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error
    for name, what in _TABLE_FORMATS.items():
        if any(entry.name == name for entry in entries):
            raise DataError(
                f"{top} is {what}, whose files may hold rows that were deleted; export the table as plain Parquet"
            )
    files: list[Path] = []
    for entry in entries:
        if entry.name.startswith((".", "_")) or entry.name.endswith(_NOT_DATA):
            continue
        if not entry.is_dir():
            files.append(entry)
        elif "=" in entry.name:
            files += _walk(top, entry)
        else:
            raise DataError(
                f"{top} holds another folder, {entry.name}, so which files belong together is unknown; name the files, "
                "or the folder that holds them alone"
            )
    return files


def _kind(file: Path) -> str:
    suffix = file.suffix.lower()
    return file.with_suffix("").suffix.lower() + suffix if suffix in EXTENSIONS else suffix

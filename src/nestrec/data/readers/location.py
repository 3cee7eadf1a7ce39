"""What a path names: a file, standard input, or a part of a file (`FILE::TABLE`, `FILE.zip::MEMBER`)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True)
class Location:
    """One file to read, or a part of it."""

    path: Path
    member: str | None = None  # of a zip archive, or a table of a database

    @property
    def is_standard_input(self) -> bool:
        """Tell whether this is `-` or a name of the same thing."""
        return str(self.path) in _STANDARD_INPUT

    @property
    def is_folder(self) -> bool:
        """Tell whether this is a folder; what cannot be looked at is none."""
        return not self.is_standard_input and os.path.isdir(self.path)  # noqa: PTH112 - it raises no OSError

    @property
    def name(self) -> str:
        """Return what messages call it."""
        if self.is_standard_input:
            return "standard input"
        return str(self.path) if self.member is None else f"{self.path}::{self.member}"


def locate(source: str | os.PathLike[str]) -> Location:
    """Return what a path names; the characters of a path mean themselves, never a pattern.

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

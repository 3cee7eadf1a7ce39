"""`write_folder`: replace the files of a folder as a whole; other files in it stay.

One of the files, the main one, says what the others are; its rename is the moment at which the new content counts. A
folder that does not exist is written beside its place and renamed. One that exists is written inside, so it may be a
mount point, lie in a folder that cannot be written to, be somebody's working folder, and hold other files:

1. The new parts come under names of their own, as `part-0123456789ab.ext`.
2. The main file is replaced by one whose entry `file_suffix` is `0123456789ab`. From here on the new content counts.
3. The old parts are deleted, the new ones get their usual names by hard links, and the main file is replaced by one
   without the entry.

A reader that meets the middle of it reads the main file again. What a killed run left is removed by the next one.
"""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from nestrec.atomic.flushing import flush_file, flush_folder
from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.atomic.output_file import copy_mode
from nestrec.atomic.workspace import is_workspace, remove_leftovers, workspace

FILE_SUFFIX = "file_suffix"
_LOCK = ".nestrec.lock"
_PATIENCE = 60.0  # seconds to wait for another run that is writing to the same folder
_CAME = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR, errno.EBUSY}

Fill = Callable[[Path], None]
Describe = Callable[[Path], Callable[[str], bytes]]


@dataclass(frozen=True)
class FolderLayout:
    """The files of a folder that is written as a whole."""

    main: str  # a JSON object
    parts: tuple[str, ...]

    def owns(self, name: str) -> bool:
        """Tell whether a file of this name is of the folder's content, or was left by a run that was killed."""
        return name in (self.main, _LOCK) or is_workspace(name) or self.part_of(name) is not None

    def part_of(self, name: str) -> str | None:
        """Return the part that a file holds, with any suffix; None where it holds none."""
        return next((part for part in self.parts if _compile_pattern(part).fullmatch(name)), None)

    def is_left_over(self, name: str) -> bool:
        """Tell whether a file can only be what a killed run left, in a folder that has no main file."""
        return name != self.main and self.owns(name) and name not in self.parts


def get_stored_name(part: str, suffix: str) -> str:
    """Return the file name of a part under a suffix.

    >>> get_stored_name("index.faiss", "0123456789ab"), get_stored_name("index.faiss", "")
    ('index-0123456789ab.faiss', 'index.faiss')
    """
    stem, dot, extension = part.partition(".")
    return f"{stem}-{suffix}{dot}{extension}" if suffix else part


def write_folder(
    target: Path, layout: FolderLayout, fill: Fill, describe: Describe, permit: Callable[[], None]
) -> None:
    """Replace the folder's content; other files in it stay. On an error nothing changes.

    Args:
        target: the folder, with links followed.
        layout: the names of its files.
        fill: writes the parts into the folder it is given.
        describe: reads the parts in a folder and returns a function of the suffix they are stored under, which
            returns the main file's content.
        permit: raises where what is in the target must not be replaced.

    Raises OSError where it cannot be written, and what `permit` raises.

    """
    permit()
    remove_leftovers(target.parent, target.name)
    if not target.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        if _write_new(target, layout, fill, describe):
            return
        permit()  # something has come into its place meanwhile
    _write_inside(target, layout, fill, describe, permit)


def _write_new(target: Path, layout: FolderLayout, fill: Fill, describe: Describe) -> bool:
    with workspace(target.parent, target.name) as content:
        fill(content)
        (content / layout.main).write_bytes(describe(content)(""))
        _flush_all(content)
        try:
            content.rename(target)
        except OSError as error:
            if error.errno in _CAME and target.exists():
                return False
            raise
        try:
            flush_folder(target.parent)
        except OSError:
            target.rename(content)
            raise
    return True


def _write_inside(
    target: Path, layout: FolderLayout, fill: Fill, describe: Describe, permit: Callable[[], None]
) -> None:
    try:
        lock = FileLock(target / _LOCK, patience=_PATIENCE)
    except LockTakenError as error:
        raise BlockingIOError(errno.EAGAIN, "another run is writing to it") from error
    try:
        permit()
        remove_strays(target, layout)
        with workspace(target, "nestrec") as content:
            suffix = uuid.uuid4().hex[:12]
            fill(content)
            parts = sorted(path.name for path in content.iterdir())
            format_main = describe(content)
            mains = format_main(suffix), format_main("")
            _flush_all(content)
            try:
                for part in parts:
                    (content / part).rename(target / get_stored_name(part, suffix))
                _switch(content, target / layout.main, mains[0])
            except BaseException:
                with suppress(OSError):
                    remove_strays(target, layout)
                raise
            with suppress(OSError):  # the new content counts already; without hard links, under these names
                _settle(content, target, layout, {part: get_stored_name(part, suffix) for part in parts}, mains[1])
    finally:
        lock.release(delete=True)


def _settle(content: Path, target: Path, layout: FolderLayout, stored: dict[str, str], main: bytes) -> None:
    """Give the new parts their usual names."""
    remove_strays(target, layout)
    for part, name in stored.items():
        os.link(target / name, target / part)
    _switch(content, target / layout.main, main)
    remove_strays(target, layout)


def _switch(content: Path, main: Path, text: bytes) -> None:
    """Replace the main file; where the folder cannot be flushed, put the former one back."""
    new, former = content / "new", content / "former"
    new.write_bytes(text)
    if main.exists():
        copy_mode(main, new)
        shutil.copy2(main, former)
        flush_file(former)
    flush_file(new)
    flush_folder(main.parent)  # the names of the parts, before the file that names them
    new.replace(main)
    try:
        flush_folder(main.parent)
    except OSError:
        if former.exists():
            former.replace(main)
        else:
            main.unlink()
        raise
    former.unlink(missing_ok=True)


def remove_strays(target: Path, layout: FolderLayout) -> None:
    """Delete the parts that the main file does not name: what a killed run left, or what was replaced.

    For the holder of the folder's lock. Raises OSError.
    """
    main = target / layout.main
    if main.exists():
        suffix = read_file_suffix(main.read_bytes())
        current = {get_stored_name(part, suffix) for part in layout.parts}
    else:
        current = set(layout.parts)  # not known to be the program's
    for path in list(target.iterdir()):
        if layout.part_of(path.name) is not None and path.name not in current:
            path.unlink(missing_ok=True)


def read_file_suffix(main: bytes) -> str:
    """Return the suffix that the main file names; empty where it names none."""
    try:
        suffix = json.loads(main)[FILE_SUFFIX]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return suffix if isinstance(suffix, str) and re.fullmatch(r"[0-9a-f]{12}", suffix) else ""


def _flush_all(folder: Path) -> None:
    for path in folder.iterdir():
        flush_file(path)
    flush_folder(folder)


def _compile_pattern(part: str) -> re.Pattern[str]:
    stem, dot, extension = part.partition(".")
    return re.compile(rf"{re.escape(stem)}(-[0-9a-f]{{12}})?{re.escape(dot + extension)}")

"""`atomic_file`: a file that appears whole or not at all, is on the disk afterwards, and replaces only what it may.

A regular file is written beside its place and renamed. Where the path is a link, the file it leads to is replaced, not
the link. Devices, pipes and sockets are written through; so is a file that cannot be renamed over, because it is a
mount point or its folder cannot be written to.
"""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from os import PathLike
from pathlib import Path

from nestrec.atomic import workspace as workspaces
from nestrec.atomic.flushing import flush_file, flush_folder
from nestrec.errors import OutputError

_DESCRIPTOR = re.compile(r"(?:/dev|/proc/(?:self|thread-self))/fd/(\d+)")
_LINKS = 40  # as many as Linux follows
_NOT_RENAMED = {errno.EBUSY, errno.EXDEV, errno.EACCES, errno.EPERM, errno.EROFS}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK, errno.ENOSYS, errno.EXDEV, errno.EINVAL}


@contextmanager
def atomic_file(path: str | PathLike[str], *, overwrite: bool = False) -> Iterator[Path]:
    """Yield a path to write to; its content becomes that of `path` at the end. On an error nothing changes.

    Missing folders are made. A file that exists is replaced only with `overwrite`, and keeps its mode. Raises
    OutputError where it exists without, or cannot be written, as on a full disk.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp()) / "figures.json"
    >>> with atomic_file(place) as partial:
    ...     _ = partial.write_text("{}")
    >>> place.read_text()
    '{}'
    """
    given = Path(path)
    check_output_file(given, overwrite=overwrite, probe=False)
    try:
        target = _find_regular(given)
        if target is None or _is_only_in_place(target):
            yield from _write_through(given)
        else:
            yield from _write_renamed(target, given, overwrite=overwrite)
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror or error}); make room or name another place"
        ) from error


def check_output_file(path: str | PathLike[str], *, overwrite: bool, probe: bool = True) -> None:
    """Raise OutputError where `atomic_file` could not write `path`: to be found out before the work begins.

    `probe`: try whether the folder can be written to.
    """
    given = Path(path)
    if given.is_dir():
        raise OutputError(f"{given} is a folder; name a file to write")
    target = _find_regular(given)
    if target is None:
        return
    if target.exists() and not overwrite:
        raise OutputError(
            f"{given} already exists; replace it with overwrite=True, or name another file",
            mentions=("overwrite=True",),
        )
    if probe and not _is_only_in_place(target):
        check_output_folder(target.parent)


def is_stream(path: Path) -> bool:
    """Tell whether a path leads to a device, a pipe or an open descriptor, which is written through."""
    return not path.is_dir() and _find_regular(path) is None


def check_output_folder(folder: Path) -> None:
    """Raise OutputError where nothing can be written into a folder, nor the folder be made; nothing is made yet."""
    existing = folder.absolute()
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    try:
        workspaces.check_writable(existing)
    except OSError as error:
        raise OutputError(f"nothing can be written into {folder} ({error.strerror}); name another place") from error


def _write_renamed(target: Path, given: Path, *, overwrite: bool) -> Iterator[Path]:
    target.parent.mkdir(parents=True, exist_ok=True)
    with workspaces.workspace(target.parent, target.name) as folder:
        partial = folder / target.name
        yield partial
        flush_file(partial)
        _move(partial, target, given, overwrite=overwrite)


def _move(partial: Path, target: Path, given: Path, *, overwrite: bool) -> None:
    """Rename the file to its place; where its folder cannot be flushed, take that back."""
    former = partial.with_name(f"{partial.name}.former") if target.exists() else None
    if overwrite:
        if former is not None:
            copy_mode(target, partial)
            with suppress(OSError):
                os.link(target, former)
        try:
            partial.replace(target)
        except OSError as error:
            if former is None or error.errno not in _NOT_RENAMED:
                raise
            _copy(partial, os.open(target, os.O_WRONLY | os.O_TRUNC))  # a mount point
            return
    else:
        _move_to_free_place(partial, target, given)
    try:
        flush_folder(target.parent)
    except OSError:
        if former is None:
            target.unlink()
        elif former.exists():
            former.replace(target)
        raise


def _move_to_free_place(partial: Path, target: Path, given: Path) -> None:
    """Rename the file unless something has come into its place meanwhile."""
    came = f"{given} exists by now, so it is not replaced; replace it with overwrite=True, or name another file"
    try:
        os.link(partial, target)
    except FileExistsError as error:
        raise OutputError(came) from error
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise OutputError(came) from error
        partial.rename(target)


def copy_mode(target: Path, partial: Path) -> None:
    """Give the new file the old one's mode and, where that is allowed, its owner."""
    former = target.stat()
    if (former.st_uid, former.st_gid) != (os.geteuid(), os.getegid()):
        with suppress(OSError):
            os.chown(partial, former.st_uid, former.st_gid)
    with suppress(OSError):
        partial.chmod(stat.S_IMODE(former.st_mode))


def _write_through(path: Path) -> Iterator[Path]:
    """Yield a temporary file, and copy it at the end into what stands at the path."""
    with tempfile.TemporaryDirectory(prefix="nestrec-") as folder:
        partial = Path(folder) / (path.name or "output")
        yield partial
        number = _find_descriptor(path)
        if number == 1 and sys.stdout is not None:
            sys.stdout.flush()
        truncated = os.O_TRUNC if _find_regular(path) is not None else 0
        descriptor = os.open(path, os.O_WRONLY | truncated) if number is None else os.dup(number)
        _copy(partial, descriptor)


def _copy(source: Path, descriptor: int) -> None:
    with os.fdopen(descriptor, "wb") as out, source.open("rb") as file:
        shutil.copyfileobj(file, out, 1 << 20)
        out.flush()
        with suppress(OSError):  # devices and pipes cannot be flushed
            os.fsync(out.fileno())


def _find_regular(path: Path) -> Path | None:
    """Return the path of the regular file, there or to be made, that a path leads to; None for anything else."""
    if _find_descriptor(path) is not None:
        return None
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        mode = stat.S_IFREG
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); name another place") from error
    return Path(os.path.realpath(path)) if stat.S_ISREG(mode) else None


def _find_descriptor(path: Path) -> int | None:
    """Return N where a path leads to /dev/fd/N, as /dev/stdout does: opening it anew would write over its content."""
    at = os.path.abspath(path)  # noqa: PTH100 - links are followed one by one
    for _ in range(_LINKS):
        found = _DESCRIPTOR.fullmatch(at)
        if found is not None:
            return int(found[1])
        try:
            at = os.path.normpath(os.path.join(os.path.dirname(at), os.readlink(at)))  # noqa: PTH115, PTH118, PTH120
        except OSError:
            return None
    return None


def _is_only_in_place(target: Path) -> bool:
    """Tell whether a file can be written but its folder cannot, so that nothing can be renamed there."""
    return target.exists() and is_allowed(target, os.W_OK) and not is_allowed(target.parent, os.W_OK | os.X_OK)


def is_allowed(path: Path, how: int) -> bool:
    """Tell whether this process may do that to a path, capabilities included where the system can tell."""
    if os.access in os.supports_effective_ids:
        return os.access(path, how, effective_ids=True)
    return os.access(path, how)

"""Check a downloaded archive and extract the needed files, all of them or none."""

from __future__ import annotations

import hashlib
import shutil
import zipfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from nestrec.atomic.flushing import flush_file, flush_folder
from nestrec.atomic.workspace import workspace
from nestrec.errors import DownloadError


def compute_md5(path: Path) -> str:
    """Return the MD5 (hexadecimal) of a file: what publishers state, a guard against damage rather than malice."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def check_room(folder: Path, n_bytes: int) -> None:
    """Raise DownloadError where the disk of a folder has less room than this."""
    free = shutil.disk_usage(folder).free
    if free < n_bytes:
        raise DownloadError(
            f"{folder} has {free / 1e6:,.0f} MB free and {n_bytes / 1e6:,.0f} MB are needed; make room or choose "
            "another folder"
        )


def unpack(
    archive: Path,
    required: str,
    optional: Iterable[str],
    target: Path,
) -> None:
    """Write members of a zip file into the new folder `target`, each under the last part of its name.

    Only the members named are looked at, so no name inside an archive decides where anything is written. Raises
    DownloadError where the archive is damaged or lacks the required member; `target` then does not exist.
    """
    try:
        with workspace(target.parent, target.name) as unfinished:
            with zipfile.ZipFile(archive) as opened:
                members = _find_members(opened, archive, required, optional)
                check_room(unfinished, sum(member.file_size for member in members))
                for member in members:
                    _copy(opened, member, unfinished / PurePosixPath(member.filename).name)
            for path in unfinished.iterdir():
                flush_file(path)
            unfinished.replace(target)
            flush_folder(target.parent)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DownloadError(f"{archive} is damaged ({error}); remove it and download it again") from error
    except OSError as error:
        if (target / PurePosixPath(required).name).is_file():
            return  # another process was faster
        raise DownloadError(
            f"{target} cannot be written ({error.strerror}); make room or choose another folder, then run it again"
        ) from error


def _find_members(
    opened: zipfile.ZipFile, archive: Path, required: str, optional: Iterable[str]
) -> list[zipfile.ZipInfo]:
    present = {member.filename: member for member in opened.infolist()}
    if required not in present:
        raise DownloadError(f"{archive} holds no {required}; remove it and download it again, or use another mirror")
    return [present[name] for name in (required, *optional) if name in present]


def _copy(opened: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> None:
    with opened.open(member) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 1 << 20)

"""Parts of a Parquet file that is written piece by piece, in a folder beside it, until they are joined."""

from __future__ import annotations

import json
import shutil
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy.typing as npt

from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.atomic.output_file import atomic_file, check_output_file
from nestrec.atomic.workspace import remove_leftovers
from nestrec.errors import OutputError
from nestrec.export.parquet import register_columns, write_parquet

_REQUEST, _JOINED, _LOCK = "request.json", "joined.json", "lock"


class Parts:
    """The folder of parts and the file they are joined to; locked in a `with` block."""

    def __init__(self, path: Path, identity: dict[str, Any], *, overwrite: bool) -> None:
        self._path, self._identity, self._overwrite = path, identity, overwrite
        self._folder = parts_folder(path)

    def __enter__(self) -> Parts:
        """Make and lock the folder."""
        self._refuse_foreign()
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock = FileLock(self._folder / _LOCK)
        except LockTakenError as error:
            raise OutputError(f"another run is writing {self._path}; wait for its end, or name another file") from error
        except OSError as error:
            raise OutputError(f"{self._folder} cannot be made ({error.strerror}); name another place") from error
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Unlock the folder; remove it if it has no part."""
        if not any(self._folder.glob("part-*")):
            shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):
            self._lock.release(delete=True)

    def begin(self, *, resume: bool) -> int | None:
        """Delete parts of an earlier run unless resumed; return the number of rows if the file is complete already."""
        described = self._folder / _REQUEST
        remove_leftovers(self._path.parent, self._path.name)
        if resume and described.exists():
            if _read(described) != self._identity:
                raise OutputError(
                    f"{self._folder} must hold parts of the same request and model to be resumed; repeat that "
                    "request, or start again without resume",
                    mentions=("resume",),
                )
            whole = self._find_joined()
            if whole is not None:
                self._remove()
                return whole
        check_output_file(self._path, overwrite=self._overwrite)
        if not (resume and described.exists()):
            self._remove()
            with atomic_file(described) as partial:
                partial.write_text(json.dumps(self._identity), encoding="utf-8")
        return None

    def has(self, number: int) -> bool:
        """Whether a part is there."""
        return self._part(number).is_file()

    def write(self, number: int, columns: dict[str, npt.NDArray[Any]]) -> None:
        """Write a part atomically."""
        with atomic_file(self._part(number), overwrite=True) as partial:
            write_parquet(
                partial, self._path, lambda database: database.from_query(register_columns(database, columns))
            )

    def join(self) -> int:
        """Write the file from all parts in their order, remove them, and return how many rows it has."""
        files = [str(part) for part in sorted(self._folder.glob("part-*.parquet"))]
        with atomic_file(self._path, overwrite=self._overwrite) as partial:
            n_rows = write_parquet(partial, self._path, lambda database: database.read_parquet(files))
            # Before the file gets its name, so that a run that resumes after a kill recognises it.
            joined = {"rows": n_rows, **_identify(partial)}
            with atomic_file(self._folder / _JOINED, overwrite=True) as described:
                described.write_text(json.dumps(joined), encoding="utf-8")
        self._remove()
        return n_rows

    def _part(self, number: int) -> Path:
        return self._folder / f"part-{number:08d}.parquet"

    def _refuse_foreign(self) -> None:
        if not self._folder.exists():
            return
        known = self._folder.is_dir() and all(_is_own(entry.name) for entry in self._folder.iterdir())
        if not known:
            raise OutputError(f"{self._folder} must hold nothing but parts; move it or name another file")

    def _find_joined(self) -> int | None:
        """Return the number of rows of a file that an earlier run joined from these parts before it was killed."""
        joined = _read(self._folder / _JOINED)
        if not isinstance(joined, dict) or not self._path.exists():
            return None
        rows = joined.pop("rows", None)
        return rows if joined == _identify(self._path) else None

    def _remove(self) -> None:
        """Delete the parts, the request last: a folder without it is not resumed."""
        for path in sorted(self._folder.glob("part-*")):
            path.unlink(missing_ok=True)
        for name in (_JOINED, _REQUEST):
            (self._folder / name).unlink(missing_ok=True)


def parts_folder(path: Path) -> Path:
    """Return the folder of the parts of a file."""
    return path.with_name(f"{path.name}.parts")


def _is_own(name: str) -> bool:
    return name in (_REQUEST, _JOINED, _LOCK) or name.startswith((".part-", "part-", f".{_REQUEST}", f".{_JOINED}"))


def _identify(path: Path) -> dict[str, int]:
    """Return what identifies a file, also after it is renamed."""
    found = path.stat()
    return {"inode": found.st_ino, "size": found.st_size, "modified": found.st_mtime_ns}


def _read(document: Path) -> Any:
    """Return the content of a JSON file; None if it cannot be read."""
    try:
        return json.loads(document.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None

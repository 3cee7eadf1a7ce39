"""A Parquet file that is kept open: it stays readable when its path is replaced or deleted."""

from __future__ import annotations

import os
from pathlib import Path
from typing import cast
from weakref import finalize

from nestrec.data.temporary import open_temporary_file
from nestrec.errors import ModelFileError

_DESCRIPTORS = Path("/proc/self/fd")
_AT_ONCE = 1 << 20


class OpenFile:
    """An open file that DuckDB reads by a path, and that can be copied and pickled."""

    def __init__(self, descriptor: int, path: Path) -> None:
        """Duplicate the descriptor of a file; `path` is for errors, and where descriptors have no paths."""
        self.path, self._descriptor = path, os.dup(descriptor)
        finalize(self, os.close, self._descriptor)

    @property
    def readable_path(self) -> str:
        """A path of these very bytes; raises ModelFileError where there is none because the file was replaced."""
        if _DESCRIPTORS.is_dir():
            return str(_DESCRIPTORS / str(self._descriptor))
        try:
            same = os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except OSError:
            same = False
        if not same:
            raise ModelFileError(f"{self.path} was replaced after it was opened; load the model again")
        return str(self.path)

    def copy_to(self, path: Path) -> None:
        """Write the bytes to a path. Raises OSError, as on a full disk."""
        place = 0
        with path.open("wb") as target:
            while chunk := os.pread(self._descriptor, _AT_ONCE, place):
                target.write(chunk)
                place += len(chunk)

    def __getstate__(self) -> dict[str, object]:
        """Return the bytes: another process has other descriptors."""
        size = os.fstat(self._descriptor).st_size
        return {"path": self.path, "content": os.pread(self._descriptor, size, 0)}

    def __setstate__(self, state: dict[str, object]) -> None:
        """Write the bytes to a nameless temporary file."""
        with open_temporary_file("an item table is copied to a temporary file") as file:
            file.write(cast("bytes", state["content"]))
            file.flush()
            OpenFile.__init__(self, file.fileno(), cast("Path", state["path"]))

"""One model directory held open while its files are read, so that all of them come from the same save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from io import BufferedReader
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import numpy.typing as npt

from nestrec.artefact.manifest import MANIFEST, check_file
from nestrec.artefact.tensors import Arrays, map_arrays
from nestrec.atomic.folder import FILE_SUFFIX, stored_name
from nestrec.errors import ModelFileError

VERIFIED_UP_TO = 32 * 2**20  # bytes; hashed in less than 0.1 s


class OpenedDirectory:
    """Files by name, of the directory that had this path when it was opened, even if another takes its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        # Windows opens no directories, and does not let one be renamed while its files are open.
        self._descriptor = os.open(path, os.O_RDONLY) if os.open in os.supports_dir_fd else None

    def text(self, name: str) -> str | None:
        """Return a small file's UTF-8 text, None where there is no such file or it is no text."""
        try:
            with self._open(name) as file:
                return file.read().decode("utf-8", errors="replace")
        except FileNotFoundError:
            return None

    def arrays(self, name: str, manifest: Mapping[str, Any], verify: bool | None) -> Arrays:
        """Return the arrays of a file after checking it against the manifest, contents too if it is to be verified."""
        path = self.path / name
        stored = stored_name(name, manifest.get(FILE_SUFFIX, ""))
        try:
            with self._open(stored) as file:
                verified = os.fstat(file.fileno()).st_size <= VERIFIED_UP_TO if verify is None else verify
                check_file(path, file, manifest, hashed=verified)
                arrays = map_arrays(self.path / stored, file)
        except FileNotFoundError as error:
            raise ModelFileError(f"{path} is missing; copy or train the model again") from error
        for key, array in arrays.items():
            if verified and array.dtype.kind == "f" and not is_finite(array):
                raise ModelFileError(f"{key} in {path} hold NaN or infinite numbers; train the model again")
        return arrays

    def _open(self, name: str) -> BufferedReader:
        if self._descriptor is None:
            return (self.path / name).open("rb")
        return os.fdopen(os.open(name, os.O_RDONLY, dir_fd=self._descriptor), "rb")

    def __enter__(self) -> OpenedDirectory:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let go of the directory; mapped arrays stay valid."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def identity(path: Path) -> tuple[int, ...] | None:
    """Return what tells one content of a model's folder from another that took its place; None where there is none."""
    try:
        folder, manifest = path.stat(), (path / MANIFEST).stat()
    except OSError:
        return None
    # An inode's number can be used again.
    return folder.st_dev, folder.st_ino, folder.st_mtime_ns, manifest.st_ino, manifest.st_mtime_ns, manifest.st_size


def is_finite(matrix: npt.NDArray[np.float32]) -> bool:
    """Tell whether no number is NaN or infinite, without an array of the matrix's size."""
    return matrix.size == 0 or bool(np.isfinite(matrix.min()) and np.isfinite(matrix.max()))

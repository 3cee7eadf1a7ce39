"""One model folder held open while its files are read, so that all of them come from the same save."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from nestrec.arrays import Float32Array
from nestrec.artefact.manifest import LARGEST_MANIFEST, MANIFEST, check_file
from nestrec.artefact.regular_files import open_directory, open_regular
from nestrec.artefact.tensors import Arrays, map_arrays
from nestrec.atomic.folder import FILE_SUFFIX, get_stored_name
from nestrec.errors import ModelFileError
from nestrec.item_table.open_file import OpenFile


class OpenedDirectory:
    """Files by name, of the directory that had this path when it was opened, even if another takes its place."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor = open_directory(path)

    def manifest(self) -> bytes | None:
        """Return the manifest's bytes, one more than it may have at most; None where there is no such file."""
        try:
            with open_regular(self.path / MANIFEST, self._descriptor) as file:
                return file.read(LARGEST_MANIFEST + 1)
        except FileNotFoundError:
            return None

    def open(self, name: str, manifest: Mapping[str, Any], *, verify: bool | None) -> OpenFile:
        """Return a file, kept open, after checking it against the manifest, contents too if it is to be verified."""
        path = self.path / get_stored_name(name, manifest.get(FILE_SUFFIX, ""))
        try:
            with open_regular(path, self._descriptor) as file:
                check_file(path, file, manifest["files"][name], verify=verify)
                return OpenFile(file.fileno(), path)
        except FileNotFoundError as error:
            raise ModelFileError(f"{path} is missing; copy or train the model again") from error

    def arrays(self, name: str, manifest: Mapping[str, Any], *, verify: bool | None) -> Arrays:
        """Return the arrays of a file after checking it against the manifest, contents too if it is to be verified."""
        path = self.path / get_stored_name(name, manifest.get(FILE_SUFFIX, ""))
        try:
            with open_regular(path, self._descriptor) as file:
                verified = check_file(path, file, manifest["files"][name], verify=verify)
                arrays = map_arrays(path, file)
        except FileNotFoundError as error:
            raise ModelFileError(f"{path} is missing; copy or train the model again") from error
        for key, array in arrays.items():
            if verified and array.dtype.kind == "f" and not is_finite(array):
                raise ModelFileError(f"{key} in {path} hold NaN or infinite numbers; train the model again")
        return arrays

    def __enter__(self) -> OpenedDirectory:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the directory; mapped arrays stay valid."""
        if self._descriptor is not None:
            os.close(self._descriptor)


def identity(path: Path) -> tuple[int, ...] | None:
    """Return a key of the content of a model's folder, which changes when it is replaced; None without a model."""
    try:
        folder, manifest = path.stat(), (path / MANIFEST).stat()
    except OSError:
        return None
    # An inode's number can be used again. The folder's own time says nothing: it holds other files, too.
    return folder.st_dev, folder.st_ino, manifest.st_ino, manifest.st_ctime_ns, manifest.st_mtime_ns, manifest.st_size


def is_finite(matrix: Float32Array) -> bool:
    """Tell whether no number is NaN or infinite, without an array of the matrix's size."""
    return matrix.size == 0 or bool(np.isfinite(matrix.min()) and np.isfinite(matrix.max()))

"""Cache of compiled kernels on disk. Any fault in it is a cache miss: the kernel is recompiled, with one warning.

numba's own cache executes truncated or changed files, and two processes that fill it at the same time can exchange the
code of two signatures, because its index and data are written separately. Here a file holds one kernel for one
signature: the SHA-256 of the rest, the version of numba, a stamp of the source, the signature, the code.
"""

from __future__ import annotations

import errno
import hashlib
import os
import pickle
import stat
import tempfile
import time
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
import numba.core.caching
import numba.core.serialize

from nestrec.logs import get_logger

caching: Any = numba.core.caching  # numba has no types of its own
dumps: Any = numba.core.serialize.dumps
_DIGEST = hashlib.sha256().digest_size
_ABANDONED = 3600.0  # seconds after which a temporary file is one that a killed process left
_LOGGER = get_logger("kernels")
_FIRST_COMPILATION = iter([True])
_FIRST = iter([True])  # a fault of the cache concerns many kernels, and is reported once


class KernelCache(caching.FunctionCache):  # type: ignore[misc]
    """The cache of one kernel; raises RuntimeError if no folder is writable."""

    def __init__(self, function: Any, stamp: Any) -> None:
        self._impl_class = _Kernels
        super().__init__(function)
        made_from = (self._impl.locator.get_source_stamp(), stamp)
        self._cache_file = _KernelFiles(Path(self._cache_path), self._impl.filename_base, made_from)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the code for a signature, None if there is none that is intact."""
        code = None
        try:
            code = super().load_overload(sig, target_context)
        except Exception as error:  # unpickling and linking a damaged file may raise anything
            warn_once(f"compiled kernels in {self._cache_path} cannot be used ({error}); they are recompiled")
        if code is None and next(_FIRST_COMPILATION, False):
            _LOGGER.info("Compiling kernels for this machine (once, about 10 s) …")
        return code

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store the code for a signature, if possible."""
        try:
            super().save_overload(sig, data)
        except (OSError, pickle.PickleError) as error:
            reason = getattr(error, "strerror", None) or error
            warn_once(
                f"compiled kernels cannot be cached in {self._cache_path} ({reason}), so the next run compiles them "
                "again; make room, or set NUMBA_CACHE_DIR to another folder"
            )


class _KernelFiles:
    """The files of one kernel, one per signature."""

    def __init__(self, folder: Path, name: str, made_from: Any) -> None:
        self._folder, self._name = folder, name
        self._made_from = (numba.__version__, made_from)

    def load(self, key: Any) -> Any:
        """Return the data of a key, None if it is missing, damaged, or made from other code."""
        path = self._path(key)
        try:
            content = path.read_bytes()
        except FileNotFoundError:
            return None
        if hashlib.sha256(content[_DIGEST:]).digest() != content[:_DIGEST]:
            warn_once(f"compiled kernels in {self._folder} are damaged; they are recompiled")
            return None
        made_from, saved_under, data = pickle.loads(content[_DIGEST:])
        return data if (made_from, saved_under) == (self._made_from, key) else None

    def save(self, key: Any, data: Any) -> None:
        """Write the data of a key atomically; raise OSError."""
        path, content = self._path(key), dumps((self._made_from, key, data))
        temporary = path.with_name(f"{path.name}.tmp.{uuid.uuid4().hex[:16]}")
        try:
            temporary.write_bytes(hashlib.sha256(content).digest() + content)
            temporary.replace(path)
        except BaseException:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        self._remove_abandoned(path)

    def flush(self) -> None:
        """Delete all."""
        for path in self._folder.glob(f"{self._name}.*.nbc"):
            path.unlink(missing_ok=True)

    def _path(self, key: Any) -> Path:
        return self._folder / f"{self._name}.{hashlib.sha256(str(key).encode()).hexdigest()[:24]}.nbc"

    def _remove_abandoned(self, path: Path) -> None:
        with suppress(OSError):
            for left in self._folder.glob(f"{path.name}.tmp.*"):
                if left.stat().st_mtime < time.time() - _ABANDONED:
                    left.unlink(missing_ok=True)


class _HomeLocator(caching.UserWideCacheLocator):  # type: ignore[misc]
    """The user's cache, if there is a home; without one, numba creates a folder named ~ in the working folder."""

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """Return the locator, None if it cannot be used."""
        own = os.environ.get("XDG_CACHE_HOME", "")
        home = Path(own if own else os.path.expanduser("~"))  # noqa: PTH111 - pathlib raises where there is none
        usable = home.is_absolute() and (bool(own) or (home.is_dir() and home != Path("/")))
        return super().from_function(py_func, py_file) if usable else None


class _TemporaryLocator(_HomeLocator):
    """A folder for temporary files that other users cannot write, because its files are executed."""

    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file
        self._lineno = py_func.__code__.co_firstlineno
        self._cache_path = str(_temporary_folder() / self.get_suitable_cache_subpath(py_file))

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> Any:
        """Return the locator, None if the folder cannot be created or belongs to another user."""
        try:
            locator = cls(py_func, py_file)
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator


def _temporary_folder() -> Path:
    folder = Path(tempfile.gettempdir()) / f"nestrec-kernels-{os.geteuid()}"
    with suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
        raise PermissionError(errno.EPERM, "not a folder of this user's own", str(folder))
    return folder


class _Kernels(caching.CompileResultCacheImpl):  # type: ignore[misc]
    """Serialization of kernels, and the folders they may be cached in."""

    _locator_classes = (
        caching.UserProvidedCacheLocator,
        caching.InTreeCacheLocator,
        _HomeLocator,
        _TemporaryLocator,
    )

    def get_filename_base(self, fullname: str, abiflags: str) -> str:
        """Return a name that numba's own cache does not use."""
        return f"{super().get_filename_base(fullname, abiflags)}.checked"


def warn_once(message: str) -> None:
    """Log a warning, only the first of a process."""
    if next(_FIRST, False):
        _LOGGER.warning("%s", message)

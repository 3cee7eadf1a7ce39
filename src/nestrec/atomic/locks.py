"""Advisory locks on files (flock): held while a process lives, freed by the system when it dies, however it dies.

A lock file may be deleted while it is held, so the holder of a new lock checks that the file is still at its path.
"""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

_UNSUPPORTED = {errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EBADF}
_PAUSE = 0.05  # seconds between two attempts


class LockTakenError(Exception):
    """Another process, or another holder in this one, has the lock."""


class FileLock:
    """An exclusive lock on a file, made if need be.

    Where the system or the file system has no locks, `held` is False and nothing is excluded.
    """

    def __init__(self, path: Path, *, patience: float = 0.0) -> None:
        """Acquire the lock; wait for it up to `patience` seconds.

        Raises LockTakenError where it is taken, OSError where the file cannot be made.
        """
        self.path, self.held = path, False
        until = time.monotonic() + patience
        while not self._acquire():
            if time.monotonic() >= until:
                raise LockTakenError(str(path))
            time.sleep(_PAUSE)

    def _acquire(self) -> bool:
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o666)
        try:
            got = _lock(descriptor)
            if got is False or not _is_at(descriptor, self.path):
                os.close(descriptor)
                return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor, self.held = descriptor, got is True
        return True

    def release(self, *, delete: bool = False) -> None:
        """Free the lock; `delete` removes its file first."""
        if self._descriptor < 0:
            return
        try:
            if delete:
                self.path.unlink(missing_ok=True)
        finally:
            os.close(self._descriptor)
            self._descriptor, self.held = -1, False


def _lock(descriptor: int) -> bool | None:
    """Return True for a lock that was got, False for one that is taken, None where there are no locks."""
    try:
        import fcntl
    except ImportError:  # not a POSIX system
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
            return False
        if error.errno in _UNSUPPORTED:
            return None
        raise
    return True


def _is_at(descriptor: int, path: Path) -> bool:
    """Tell whether the open file still has this path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False

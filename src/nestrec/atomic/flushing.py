"""Force files and folders to the disk, where the file system can do that."""

from __future__ import annotations

import errno
import os
from pathlib import Path

# What file systems answer that cannot flush a folder: CIFS before Linux 4.17, VirtualBox shares, some FUSE ones.
_UNSUPPORTED = {errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EACCES, errno.EISDIR}


def flush_file(path: Path) -> None:
    """Force a file's content to the disk. Raises OSError, as on a full disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def flush_folder(path: Path) -> None:
    """Force a folder's names to the disk; file systems that cannot do it are left alone. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError as error:  # a folder that may be written but not listed; on Windows, any folder
        if error.errno in _UNSUPPORTED:
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise
    finally:
        os.close(descriptor)

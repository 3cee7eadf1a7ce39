"""The fault injector seen from Python: compile the shim, say which operation is hit and how, read what was done."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from enum import IntEnum
from functools import cache
from pathlib import Path

_SOURCE = Path(__file__).with_name("shim.c")
_BLOCK = 4 << 20  # bytes, as in shim.c
_PATH = 1024

# What a full disk refuses, as in shim.c.
TAKES_ROOM = frozenset({"create", "write", "mkdir", "truncate", "link", "symlink", "copy", "allocate", "fsync"})


class Mode(IntEnum):
    """What happens at the chosen operation; the numbers are those of shim.c."""

    OFF = 0
    COUNT = 1
    KILL_BEFORE = 2
    KILL_AFTER = 3
    KILL_TORN = 4  # after half of a write
    FAIL = 5  # this operation alone
    FAIL_FROM = 6  # this one and all that follow
    SHORT = 7  # half of a write, and nothing wrong


@dataclass(frozen=True)
class Fault:
    """One fault to inject."""

    mode: Mode
    at: int = 0
    error: int = 0

    def __str__(self) -> str:
        """Return a name such as `ENOSPC from 12`."""
        if self.mode in (Mode.FAIL, Mode.FAIL_FROM):
            return f"{errno.errorcode[self.error]} {'from' if self.mode is Mode.FAIL_FROM else 'at'} {self.at}"
        return f"{self.mode.name.lower().replace('_', ' ')} {self.at}"


@dataclass(frozen=True)
class Conditions:
    """The simulated machine, the same for every fault."""

    no_exchange: bool = False  # two names cannot be exchanged in one step
    no_folder_sync: bool = False  # fsync of a folder gives EINVAL
    mount: str = ""  # path of a mount point, relative to the watched folder; nothing can be put beside it


@dataclass(frozen=True)
class Operation:
    """One line of the log."""

    number: int  # 0: outside the watched folders
    kind: str
    path: str
    other: str  # where a rename or link goes
    size: int
    fate: str


class _Block(ctypes.Structure):
    _fields_ = (
        ("mode", ctypes.c_int32),
        ("error", ctypes.c_int32),
        ("at", ctypes.c_int64),
        ("count", ctypes.c_int64),
        ("hits", ctypes.c_int64),
        ("log_used", ctypes.c_int64),
        ("root", ctypes.c_int32),
        ("no_exchange", ctypes.c_int32),
        ("no_folder_sync", ctypes.c_int32),
        ("spare", ctypes.c_int32),
        ("watched", ctypes.c_char * _PATH * 2),
        ("pinned", ctypes.c_char * _PATH),
    )


class Control:
    """The block of memory that all watched processes share."""

    def __init__(self) -> None:
        file, self.path = tempfile.mkstemp(prefix="fault-control-", dir=fast_folder())
        os.ftruncate(file, _BLOCK)
        self._pages = mmap.mmap(file, _BLOCK)
        os.close(file)
        self._block = _Block.from_buffer(self._pages)

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to be watched."""
        return {"LD_PRELOAD": str(shim()), "FAULT_CONTROL": self.path}

    def arm(self, fault: Fault, watched: Path, temporary: Path, conditions: Conditions) -> None:
        """Begin to count anew, and to hit what the fault names."""
        block = self._block
        block.mode = Mode.OFF
        block.count = block.hits = block.log_used = 0
        block.at, block.error, block.root = fault.at, fault.error, 0
        block.no_exchange, block.no_folder_sync = conditions.no_exchange, conditions.no_folder_sync
        block.watched[0].value, block.watched[1].value = os.fsencode(watched), os.fsencode(temporary)
        block.pinned = os.fsencode(watched / conditions.mount) if conditions.mount else b""
        block.mode = fault.mode

    def disarm(self) -> None:
        """Watch nothing."""
        self._block.mode = Mode.OFF

    @property
    def hits(self) -> int:
        """Faults that were delivered."""
        return int(self._block.hits)

    @property
    def count(self) -> int:
        """Operations in the watched folders."""
        return int(self._block.count)

    def log(self) -> list[Operation]:
        """Return what was done, in order."""
        begin = ctypes.sizeof(_Block)
        if self._block.log_used > _BLOCK - begin:
            raise RuntimeError("the log of operations is full; make the scenario smaller")
        text = bytes(self._pages[begin : begin + self._block.log_used]).decode("utf-8", "surrogateescape")
        fields = (line.split("\t") for line in text.splitlines())
        return [
            Operation(int(number), kind, path, other, int(size), fate)
            for number, kind, path, other, size, fate in fields
        ]

    def close(self) -> None:
        """Remove the block's file."""
        Path(self.path).unlink(missing_ok=True)


def fast_folder() -> str:
    """Return a folder in memory where there is one: these tests do not depend on the durability of disks."""
    shared = Path("/dev/shm")
    return str(shared) if shared.is_dir() and os.access(shared, os.W_OK) else tempfile.gettempdir()


def missing() -> str | None:
    """Return why faults cannot be injected here; None where they can."""
    if not hasattr(os, "pidfd_open"):
        return "faults are injected into Linux programs alone"
    if shutil.which("cc") is None:
        return "there is no C compiler (cc) to build the fault injector with"
    return None


@cache
def shim() -> Path:
    """Compile the shim once a process and return the library's path."""
    place = Path(tempfile.mkdtemp(prefix="fault-shim-", dir=fast_folder())) / "shim.so"
    command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(place), str(_SOURCE)]
    subprocess.run(command, check=True, capture_output=True, text=True)
    return place

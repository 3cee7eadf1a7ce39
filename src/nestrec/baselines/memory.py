"""Available memory, to check before a large matrix is allocated."""

from __future__ import annotations

from pathlib import Path

_CGROUP = Path("sys/fs/cgroup")


def available_memory(root: Path = Path("/")) -> int | None:
    """Return the available bytes without swapping, of the machine or the container, whichever is less (Linux).

    None if the system does not report them.
    """
    known = [bytes_ for bytes_ in (_read_machine(root), _read_container(root)) if bytes_ is not None]
    return min(known, default=None)


def _read_machine(root: Path) -> int | None:
    kilobytes = _read_field(root / "proc/meminfo", "MemAvailable:")
    return None if kilobytes is None else 1024 * kilobytes


def _read_container(root: Path) -> int | None:
    """Return the bytes left under the limit of a control group (version 2); cached file pages count as free."""
    try:
        limit = (root / _CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((root / _CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if not limit.isdecimal():  # "max": no limit
        return None
    cached = _read_field(root / _CGROUP / "memory.stat", "inactive_file") or 0
    return max(0, int(limit) - used + cached)


def _read_field(path: Path, name: str) -> int | None:
    """Return the number after a name in a file with a name per line."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), None)

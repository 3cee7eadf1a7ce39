"""How much memory there is for a large matrix, before the system ends the process for want of it."""

from __future__ import annotations

from pathlib import Path

_CGROUP = Path("sys/fs/cgroup")


def available_memory(root: Path = Path("/")) -> int | None:
    """Return bytes that can be had without swapping: of the machine or the container, whichever has less (Linux).

    None where the system does not say.
    """
    known = [bytes_ for bytes_ in (_of_machine(root), _of_container(root)) if bytes_ is not None]
    return min(known, default=None)


def _of_machine(root: Path) -> int | None:
    kilobytes = _named(root / "proc/meminfo", "MemAvailable:")
    return None if kilobytes is None else 1024 * kilobytes


def _of_container(root: Path) -> int | None:
    """Return what is left under the limit of a control group (version 2); file pages it caches can be given up."""
    try:
        limit = (root / _CGROUP / "memory.max").read_text(encoding="ascii").strip()
        used = int((root / _CGROUP / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    if not limit.isdecimal():  # "max": no limit
        return None
    cached = _named(root / _CGROUP / "memory.stat", "inactive_file") or 0
    return max(0, int(limit) - used + cached)


def _named(path: Path, name: str) -> int | None:
    """Return the number after a name in a file of one name a line."""
    try:
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.split()[:1] == [name]), None)

"""How much memory a piece of work takes: the most this process held during it, less what it held before.

Linux keeps the most a process ever held (VmHWM) and forgets it when "5" is written to clear_refs (proc(5)). Elsewhere
the most ever held is all there is, so the work is measured by how far it raises that.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_FORGET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Begins to measure when it is made."""

    def __init__(self) -> None:
        gc.collect()
        with suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)  # or the work would find memory that earlier work left
        with suppress(OSError):
            _FORGET.write_text("5", encoding="ascii")
        self._before = _held("VmRSS")

    def bytes(self) -> int:
        """Return the most held since then, less what was held then."""
        return max(0, _held("VmHWM") - self._before)


def _held(field: str) -> int:
    """Return a figure of the process in bytes."""
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024

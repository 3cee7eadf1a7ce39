"""Peak memory of a piece of work: the maximum resident memory during it, minus that before.

Linux resets the maximum (VmHWM) when "5" is written to clear_refs (proc(5)). Elsewhere there is only the maximum since
the start of the process, so the work is measured by how far it raises that.
"""

from __future__ import annotations

import ctypes
import gc
import resource
import sys
from contextlib import suppress
from pathlib import Path

_STATUS = Path("/proc/self/status")
_RESET = Path("/proc/self/clear_refs")


class PeakMemory:
    """Starts to measure when it is created."""

    def __init__(self) -> None:
        gc.collect()
        with suppress(AttributeError, OSError, TypeError):
            ctypes.CDLL(None).malloc_trim(0)  # memory freed earlier would not count again
        with suppress(OSError):
            _RESET.write_text("5", encoding="ascii")
        self._before = _read_memory("VmRSS")

    def bytes(self) -> int:
        """Return the maximum since the start, minus the memory at the start."""
        return max(0, _read_memory("VmHWM") - self._before)


def _read_memory(field: str) -> int:
    """Return a memory figure of this process in bytes."""
    try:
        for line in _STATUS.read_text(encoding="ascii").splitlines():
            if line.startswith(f"{field}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024

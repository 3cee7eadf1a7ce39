"""The torch engine's work on CUDA devices, fused into Triton kernels; plain torch does the same, and tests them.

Triton comes with torch's builds for CUDA and compiles for the device at hand, for which it needs a C compiler on the
machine. Where something is missing, plain torch runs. Without a GPU the kernels run in Triton's interpreter, as the
tests do.
"""

from __future__ import annotations

import os
import shutil
from functools import cache
from importlib.util import find_spec

import torch

_LEAST_CAPABILITY = (7, 0)  # of a device, for Triton


def serves(device: torch.device) -> bool:
    """Say whether the kernels are for this device."""
    return device.type == "cuda" and not missing()


@cache
def missing() -> str:
    """Say what keeps CUDA devices from running the kernels; "" for nothing."""
    if find_spec("triton") is None:
        return "triton is not installed"
    if torch.version.cuda is None:
        return "this torch is not built for CUDA"
    if not any(shutil.which(compiler) for compiler in (os.environ.get("CC"), "gcc", "clang") if compiler):
        return "there is no C compiler (gcc or clang)"
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < _LEAST_CAPABILITY:
        return "the device is older than Volta"
    return ""

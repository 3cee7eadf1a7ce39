"""Fused Triton kernels of the torch engine for CUDA devices; plain torch computes the same, and tests them.

Triton comes with torch's builds for CUDA and compiles for the device at hand, for which it needs a C compiler and
Python's headers on the machine. If something is missing, plain torch runs. Without a GPU the tests run the kernels
in Triton's interpreter.
"""

from __future__ import annotations

import os
import shutil
import sysconfig
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import torch

from nestrec.errors import OptionError
from nestrec.kernels.training.tile_sizes import POOL_BLOCK

_LEAST_CAPABILITY = (7, 0)  # of a device, for Triton


def serves(device: torch.device) -> bool:
    """Return whether the kernels run on this device."""
    return device.type == "cuda" and not missing()


@cache
def missing() -> str:
    """Return why CUDA devices cannot run the kernels, "" if they can."""
    if find_spec("triton") is None:
        return "triton is not installed"
    if torch.version.cuda is None:
        return "this torch is not built for CUDA"
    own = os.environ.get("CC")  # which Triton takes alone where it is set
    if not (shutil.which(own) if own is not None else shutil.which("gcc") or shutil.which("clang")):
        return "there is no C compiler (gcc, clang, or what CC names)"
    if not Path(sysconfig.get_path("include", _scheme()), "Python.h").exists():
        return "there are no headers of Python (a package named python3-dev or like that has them)"
    if torch.cuda.is_available() and torch.cuda.get_device_capability() < _LEAST_CAPABILITY:
        return "the device is older than Volta"
    return ""


def check_batch(batch_size: int, each: int) -> None:
    """Raise OptionError if a batch has too many numbers for the kernels, which have `each` per positive."""
    if batch_size * each >= 2**31:
        most = (2**31 - 1) // each // POOL_BLOCK * POOL_BLOCK
        raise OptionError(
            f"batch_size must be at most {most} on a CUDA device, got {batch_size}: with {each} "
            f"candidates or scores for each positive, a batch would have 2^31 of them and more",
            option="batch_size",
        )


def _scheme() -> str:
    """Return the scheme of paths by which Triton finds the headers: Debian's own default has others."""
    return sysconfig.get_default_scheme().replace("posix_local", "posix_prefix")

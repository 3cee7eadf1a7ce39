"""The torch engine's work on CUDA devices, fused into Triton kernels; plain torch does the same, and tests them.

Triton comes with torch's builds for CUDA. Where there is none, plain torch runs. Without a GPU the kernels run in
Triton's interpreter, as the tests do.
"""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def serves(device: torch.device) -> bool:
    """Say whether the kernels are for this device."""
    return device.type == "cuda" and find_spec("triton") is not None

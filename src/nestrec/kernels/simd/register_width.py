"""The number of float32 numbers that a vector register holds on the processor that kernels are compiled for."""

from __future__ import annotations

from typing import Any

from numba.core.registry import cpu_target


def has_wide_registers() -> bool:
    """Return whether there are 32 registers of sixteen numbers (AVX-512), rather than of eight or four."""
    codegen: Any = cpu_target.target_context.codegen()
    _, _, features = codegen.magic_tuple()  # what numba keys its cache of compiled kernels with
    return "+avx512f" in features.split(",")

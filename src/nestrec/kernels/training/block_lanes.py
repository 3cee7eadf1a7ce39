"""Vectors of the softmax kernel: of the positives of a block, and of dimensions, by the registers of the processor.

With AVX-512, products keep eight accumulators of two registers each in registers; with sixteen registers of eight
numbers (AVX2), eight of one.
"""

from __future__ import annotations

from nestrec.kernels.simd.register_width import has_wide_registers
from nestrec.kernels.simd.vectors import loading, splatting, splatting_at

ROW_LANES = 32 if has_wide_registers() else 8  # positives; divides POOL_BLOCK
DIMENSION_LANES = 16 if has_wide_registers() else 8

load_rows, splat_rows, splat_rows_at = loading(ROW_LANES), splatting(ROW_LANES), splatting_at(ROW_LANES)
load_dimensions, splat_dimensions = loading(DIMENSION_LANES), splatting(DIMENSION_LANES)
splat_dimensions_at = splatting_at(DIMENSION_LANES)

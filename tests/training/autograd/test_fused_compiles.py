"""The kernels for CUDA devices compile to machine code, which needs no GPU: the interpreter forgives too much."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("triton")
pytest.importorskip("torch")

PROGRAM = """
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource, compile

from nestrec.training.autograd.fused import candidates, pairs, pool_softmax, pools, rows

FLOATS, WORDS = "*fp32", "*i64"
PAIRS = {name: WORDS for name in ("users", "positives", "negatives", "widths")}
DRAWN = {"rows": WORDS, "indptr": WORDS, "indices": "*i32", "drawn": WORDS, "key": WORDS, "first_position": WORDS}
HALF = {"user_vectors": "*bf16", "item_vectors": "*bf16"}
DRAWN_AS = {"CANDIDATES": 16, "HALVINGS": 7, "WIDTH": 20, "PADDED": 32, "RUN": 128}
POOLS = {name: WORDS for name in ("users", "positives", "pools", "indptr", "widths")} | {
    name: "fp32" for name in ("log_each", "masked", "scale")
} | {"indices": "*i32", "seen": "*i8"}
POOLS_AS = {"LEVELS": 5, "CANDIDATES": 64, "BLOCK": 64, "CHUNK": pool_softmax._CHUNK, "STEP": pool_softmax._STEP}
POOLS_WARPS = pool_softmax._WARPS
SOFTMAX = [
    (
        pool_softmax._sum_exponentials,
        POOLS,
        POOLS_AS | {"PADDED_LEVELS": 8, "HALVINGS": 7, "PRECISION": precision},
        POOLS_WARPS,
    )
    for precision in ("tf32x3", "ieee")
] + [
    (
        pool_softmax._differentiate,
        POOLS,
        POOLS_AS | {"WHOLE": precision == "ieee", "TILE": pool_softmax._TILE, "PRECISION": precision},
        POOLS_WARPS,
    )
    for precision in ("tf32x3", "ieee")
]
DRAWN_POOLS = {"pools": WORDS, "key": WORDS, "position": WORDS}
KERNELS = [
    *SOFTMAX,
    (pools._draw_pools, DRAWN_POOLS, {"CANDIDATES": 64, "BLOCK": 64, "RUN": 256}, 4),
    (candidates._draw_and_score, DRAWN, DRAWN_AS, 4),
    (candidates._draw_and_score, DRAWN | HALF, DRAWN_AS, 4),
    (pairs._score_pairs, PAIRS, {"LEVELS": 3, "POOLS": 3, "PADDED": 32, "ROWS": 16}, 4),
    (pairs._score_pairs, PAIRS, {"LEVELS": 3, "POOLS": 1, "PADDED": 32, "ROWS": 16}, 4),
    (pairs._pair_gradients, PAIRS, {"LEVELS": 3, "POOLS": 3, "PADDED": 32, "ROWS": 16}, 4),
    (pairs._pair_gradients, PAIRS, {"LEVELS": 3, "POOLS": 1, "PADDED": 32, "ROWS": 16}, 4),
    (
        rows._adagrad,
        {"ordered": "*i32", "order": WORDS, "n": "i32", "size": "i32", "rate": "*fp64"},
        {"PADDED": 32, "CHUNK": 8},
        1,
    ),
    (
        rows._sparse_adam,
        {"ordered": "*i32", "order": WORDS, "n": "i32", "size": "i32", "scale": "*fp64"},
        {"MEAN": 0.9, "SQUARE": 0.999, "TINY": 1e-8, "PADDED": 32, "CHUNK": 8},
        1,
    ),
]
COUNTS = {"n_drawn", "level", "n_levels", "n_items", "batch", "size", "n_users"}
for kernel, types, constants, warps in KERNELS:
    signature = {
        name: "constexpr" if name in constants else types.get(name, "i32" if name in COUNTS else FLOATS)
        for name in kernel.arg_names
    }
    values = {(kernel.arg_names.index(name),): value for name, value in constants.items()}
    compiled = compile(
        ASTSource(kernel, signature, values), target=GPUTarget("cuda", 90, 32), options={"num_warps": warps}
    )
    print(kernel.__name__, len(compiled.asm["cubin"]))
"""


def test_the_kernels_compile() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TRITON_INTERPRET"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr
    sizes = dict(line.split() for line in done.stdout.splitlines())
    pairs_and_rows = {"_draw_and_score", "_score_pairs", "_pair_gradients", "_adagrad", "_sparse_adam"}
    assert set(sizes) == pairs_and_rows | {"_sum_exponentials", "_differentiate", "_draw_pools"}
    assert all(int(size) > 1000 for size in sizes.values())

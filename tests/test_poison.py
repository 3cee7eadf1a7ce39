"""The two modes that kernel tests also run in do what they say: a mistake of the kind each is for is seen."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

READS_BEFORE_WRITING = """
import numpy as np
from tests.poison import poison
poison()
from nestrec.kernels.compiled import compiled

@compiled
def reads(n):
    return np.empty(n, np.float32)[n // 2], np.empty(n, np.int64)[n // 2], np.zeros(n, np.int64)[n // 2]

assert np.isnan(np.empty(3)).all() and (np.empty_like(np.arange(3)) > 2**62).all() and (np.zeros(3) == 0).all()
number, index, zero = reads(9)
assert np.isnan(number) and index > 2**62 and zero == 0, (number, index, zero)
"""

LEAVES_THE_ARRAY = """
import numpy as np
from nestrec.kernels.simd import lanes
from nestrec.kernels.simd.codes import load_codes, as_floats, no_sum, add_product
from nestrec.kernels.compiled import compiled

@compiled
def by_index(array, at):
    return array[at]

@compiled
def by_load(array, at):
    return lanes.total(lanes.load(array, at))

@compiled
def by_store(array, at):
    lanes.store(array, at, lanes.splat(np.float32(1)))

@compiled
def by_codes(queries, codes, at):
    of = load_codes(codes, at)
    return lanes.total(as_floats(add_product(load_codes(queries, 0), of, no_sum(codes))))

array = np.zeros(16, np.float32)
cases = [(by_index, (array,), 16), (by_load, (array,), 9), (by_load, (array,), -1), (by_store, (array,), 9)]
cases += [(by_codes, (np.zeros(16, np.int16), np.zeros(32, np.int8)), 17)]
for kernel, arrays, at in cases:
    kernel(*arrays, 0)
    try:
        kernel(*arrays, at)
    except IndexError:
        continue
    raise SystemExit(f"{kernel.__name__} left the array")
"""


@pytest.mark.parametrize("script", [READS_BEFORE_WRITING, LEAVES_THE_ARRAY])
def test_a_mistake_is_seen(script: str, tmp_path: Path) -> None:
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(tmp_path)}
    root = Path(__file__).resolve().parents[1]
    environment["PYTHONPATH"] = os.pathsep.join([str(root), str(root / "src")])
    file = tmp_path / "kernels.py"  # kernels are kept by the file that they stand in
    file.write_text(script, encoding="utf-8")
    ended = subprocess.run(
        [sys.executable, file], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert ended.returncode == 0, ended.stderr

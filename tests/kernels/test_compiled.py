"""What is kept on disk between runs must not outlive the code it was made from."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numba
import pytest

from nestrec.kernels.compiled import compiled

CALLEE = "from nestrec.kernels.compiled import compiled\n@compiled\ndef callee(x):\n    return x + {}\n"
CALLER = (
    "from nestrec.kernels.compiled import compiled\nfrom {package}.callee import callee\n"
    "@compiled\ndef caller(x):\n    return callee(x)\n"
)


def call(folder: Path) -> int:
    """Run the caller in a new process whose kernels live in the folder."""
    code = (
        "import pathlib; import nestrec.kernels.compiled as c\n"
        f"c.__file__ = {str(folder / 'kernels' / 'compiled.py')!r}\n"
        "from kernels.caller import caller; print(caller(1))"
    )
    environment = {**os.environ, "PYTHONPATH": str(folder), "NUMBA_CACHE_DIR": str(folder / "cache")}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return int(result.stdout)


def test_a_change_in_one_kernel_recompiles_those_that_call_it(tmp_path: Path) -> None:
    """numba alone would go on with the old callee, for the caller's own file did not change."""
    kernels = tmp_path / "kernels"
    kernels.mkdir()
    (kernels / "__init__.py").write_text("")
    (kernels / "caller.py").write_text(CALLER.format(package="kernels"))
    (kernels / "callee.py").write_text(CALLEE.format(1))
    assert call(tmp_path) == 2
    assert call(tmp_path) == 2
    (kernels / "callee.py").write_text(CALLEE.format(10))
    assert call(tmp_path) == 11


def test_kernels_run_where_nothing_can_be_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """numba refuses to keep a kernel with a RuntimeError, as in a container with a read-only file system."""
    njit = numba.njit

    def refusing(*given: Any, cache: bool = False, **options: Any) -> Any:
        if cache:
            raise RuntimeError("cannot cache function: no locator available")
        return njit(*given, **options)

    monkeypatch.setattr(numba, "njit", refusing)
    assert compiled(plus_one)(1) == 2


def plus_one(x: int) -> int:
    return x + 1

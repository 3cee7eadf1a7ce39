"""`nestrec doctor`: check that everything nestrec needs works on this machine.

Example:
  nestrec doctor

Each line begins with PASS, FAIL or NOTE; with a FAIL the exit code is 1.

"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import typer

from nestrec.cli.console import results
from nestrec.cli.exit_codes import FAILURE
from nestrec.extras import install_command
from nestrec.report.sizes import format_bytes

if TYPE_CHECKING:
    from nestrec.training.trainer import Trainer

_PACKAGES = ("numpy", "scipy", "numba", "duckdb", "safetensors", "typer", "rich")
_LEAST_FREE = 100_000_000  # bytes


Finding: TypeAlias = tuple[str, str]  # PASS, FAIL or NOTE, and a text


def doctor() -> None:
    """Check that nestrec works on this machine."""
    failed = False
    for verdict, text in _findings():
        results().print(f"{verdict}  {text}", soft_wrap=True)
        failed = failed or verdict == "FAIL"
    if failed:
        raise typer.Exit(FAILURE)


def _findings() -> Iterator[Finding]:
    yield "PASS", f"nestrec {version('nestrec')} on Python {platform.python_version()}, {platform.platform()}"
    for package in _PACKAGES:
        yield _package(package)
    yield _checked("threads", _threads)
    yield _checked("kernels compile", _kernels)
    yield _checked("a small model trains and recommends", _small_model)
    yield _checked("temporary folder", lambda: _folder(Path(tempfile.gettempdir())))
    yield _checked("working folder", lambda: _folder(Path.cwd()))
    yield _torch()
    if find_spec("torch") is not None:
        yield _checked("the torch engine trains", _torch_engine)


def _checked(name: str, check: Callable[[], str]) -> Finding:
    """Run a check; an exception is a failure to report."""
    try:
        return "PASS", f"{name}: {check()}"
    except Exception as error:
        return "FAIL", f"{name}: {type(error).__name__}: {error}"


def _package(package: str) -> Finding:
    try:
        __import__(package)
    except Exception as error:
        return "FAIL", f"{package} cannot be imported ({error}); reinstall it with pip install {package}"
    return "PASS", f"{package} {version(package)}"


def _torch() -> Finding:
    try:
        return "PASS", f"torch {version('torch')} (extra torch)"
    except PackageNotFoundError:
        return "NOTE", f"torch is not installed; for LightGCN, other losses and GPUs: {install_command('torch')}"


def _torch_engine() -> str:
    """Train a little on the device that would be taken, and tell which, and by what."""
    import torch

    from nestrec.training.autograd import fused
    from nestrec.training.engines import TorchEngine
    from nestrec.training.losses import BPR
    from nestrec.training.trainer import Trainer

    after = _trained(Trainer(widths=(2, 4), epochs=2, loss=BPR(), engine=TorchEngine()))
    if not torch.cuda.is_available():
        return f"{after}, on the CPU, because there is no CUDA device"
    lack = fused.missing()
    by = f"by plain torch, for {lack}" if lack else "by fused kernels"
    return f"{after}, on {torch.cuda.get_device_name()}, {by}"


def _threads() -> str:
    from nestrec.parallel.threads import available_threads

    return f"{available_threads()} of {os.cpu_count()} processors may be used"


def _kernels() -> str:
    """Compile or load one kernel and tell where compiled code is kept."""
    import numpy as np

    from nestrec.retrieval.top_k import top_k

    start = time.perf_counter()
    top_k(np.ones((1, 2), np.float32), np.ones((2, 2), np.float32), 2, 1, rows=np.zeros(1, np.int32))
    return f"{time.perf_counter() - start:.1f} s, {_cache_folder()}"


def _cache_folder() -> str:
    """Tell where numba keeps compiled kernels."""
    loaded = [module for name, module in sys.modules.items() if name.startswith("nestrec.kernels.")]
    kernels = (value for module in loaded for value in vars(module).values() if hasattr(value, "py_func"))
    folder = next(kernels).stats.cache_path
    return f"cached in {folder}" if folder else "not cached, since no cache folder can be written; set NUMBA_CACHE_DIR"


def _small_model() -> str:
    from nestrec.training.trainer import Trainer

    return _trained(Trainer(widths=(2, 4), epochs=2))


def _trained(trainer: Trainer) -> str:
    from nestrec.data.synthetic import SyntheticData

    start = time.perf_counter()
    world = SyntheticData(n_users=60, n_items=64, interactions_per_user=8).generate(seed=0)
    model = trainer.fit(world.interactions, validation=None)
    ids, _ = model.recommend(world.interactions.users.ids[0], k=3)
    return f"{len(ids)} recommendations after {time.perf_counter() - start:.1f} s"


def _folder(folder: Path) -> str:
    from nestrec.atomic.output_file import check_output_folder

    check_output_folder(folder)
    free = shutil.disk_usage(folder).free
    if free < _LEAST_FREE:
        raise OSError(f"only {format_bytes(free)} free in {folder}; make room")
    return f"{folder} can be written to, {format_bytes(free)} free"

"""Where the kernels for CUDA devices cannot run, plain torch does."""

from __future__ import annotations

import shutil
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from nestrec.training.autograd import fused  # noqa: E402

CUDA = torch.device("cuda")


@pytest.fixture(autouse=True)
def _as_on_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Everything needed is there, independent of this machine, and nothing is cached between tests."""
    monkeypatch.setattr(fused, "find_spec", lambda _name: "there")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(shutil, "which", lambda name: name)
    monkeypatch.setattr(sysconfig, "get_path", lambda *_: str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    (tmp_path / "Python.h").touch()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))
    fused.missing.cache_clear()
    yield
    fused.missing.cache_clear()


def test_they_are_for_cuda_devices() -> None:
    assert fused.serves(CUDA)
    assert not fused.serves(torch.device("cpu"))


@pytest.mark.parametrize(
    ("of", "name", "value", "lack"),
    [
        (fused, "find_spec", lambda _name: None, "triton"),
        (torch.version, "cuda", None, "not built for CUDA"),
        (shutil, "which", lambda _name: None, "C compiler"),
        (sysconfig, "get_path", lambda *_: "/nowhere", "headers of Python"),
        (torch.cuda, "get_device_capability", lambda: (6, 1), "older"),
    ],
)
def test_what_is_missing_is_said(
    of: object, name: str, value: object, lack: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(of, name, value)
    assert lack in fused.missing()
    assert not fused.serves(CUDA)


def test_a_compiler_of_the_users_own_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "mycc" else None)
    monkeypatch.setenv("CC", "mycc")
    assert not fused.missing()


def test_a_compiler_of_the_users_own_is_taken_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: name if name == "gcc" else None)
    monkeypatch.setenv("CC", "ccache gcc")
    assert "what CC names" in fused.missing()

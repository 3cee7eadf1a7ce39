"""`nestrec doctor`: what works, what does not, what is not installed."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Callable

import pytest

from nestrec.cli import doctor
from tests.cli.conftest import Run


def test_a_sound_installation_passes(run: Run) -> None:
    result = run("doctor")
    assert result.code == 0, result.out
    lines = result.out.splitlines()
    assert all(line.startswith(("PASS  ", "NOTE  ")) for line in lines)
    assert any("kernels compile" in line for line in lines)
    assert any("numba" in line for line in lines)


def test_the_device_of_torch_is_reported(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    torch = pytest.importorskip("torch")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "on the CPU, because there is no CUDA device" in run("doctor").out
    monkeypatch.setattr(doctor, "_trained", lambda _trainer: "9 recommendations")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    monkeypatch.setattr("nestrec.training.autograd.fused.missing", lambda: "there is no C compiler")
    told = "PASS  the torch engine trains: 9 recommendations, on Some GPU, by plain torch, for there is no C compiler"
    assert told in run("doctor").out


def test_a_failure_is_shown_with_its_reason_and_exits_with_1(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> str:
        raise OSError("no compiler")

    monkeypatch.setattr(doctor, "_kernels", broken)
    result = run("doctor")
    assert result.code == 1
    assert "FAIL  kernels compile: OSError: no compiler" in result.out


def test_a_missing_package_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_PACKAGES", ("nothing_of_this_name",))
    assert "reinstall it with pip install nothing_of_this_name" in run("doctor").out


def test_a_missing_extra_is_a_note_that_says_how_to_get_it(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "version", _without("torch"))
    result = run("doctor")
    assert result.code == 0
    assert (
        'NOTE  torch is not installed; for LightGCN, other losses and GPUs: pip install "nestrec[torch]"' in result.out
    )


def test_too_little_room_fails(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "_LEAST_FREE", 10**18)
    result = run("doctor")
    assert result.code == 1
    assert "make room" in result.out


def _without(package: str) -> Callable[[str], str]:
    def version(name: str) -> str:
        if name == package:
            raise importlib.metadata.PackageNotFoundError(name)
        return importlib.metadata.version(name)

    return version

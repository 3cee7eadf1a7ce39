"""Kernels cached on disk are recompiled when their source changes."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numba
import pytest

from nestrec.kernels import kernel_cache
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


@pytest.mark.parametrize("family", ["", "family"])
def test_a_change_in_one_kernel_recompiles_those_that_call_it(tmp_path: Path, family: str) -> None:
    """numba alone would keep the old callee, because the caller's own file did not change."""
    kernels = tmp_path / "kernels"
    (kernels / family).mkdir(parents=True)
    for folder in {kernels, kernels / family}:
        (folder / "__init__.py").write_text("")
    callee = kernels / family / "callee.py"
    (kernels / "caller.py").write_text(CALLER.format(package=".".join(filter(None, ("kernels", family)))))
    callee.write_text(CALLEE.format(1))
    assert call(tmp_path) == 2
    assert call(tmp_path) == 2
    callee.write_text(CALLEE.format(10))
    assert call(tmp_path) == 11


def test_kernels_run_where_nothing_can_be_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As in a container with a read-only file system; only `doctor` reported that."""
    monkeypatch.setattr(kernel_cache, "_FIRST", iter([True]))
    monkeypatch.setattr(kernel_cache._Kernels, "_locator_classes", ())
    assert compiled(plus_one)(1) == 2
    assert compiled(plus_one)(1.0) == 2.0
    assert [
        record.getMessage() for record in caplog.records if "cannot be cached anywhere" in record.getMessage()
    ] != []
    assert len(caplog.records) == 1


def test_the_first_compilation_of_a_process_is_logged_and_a_warm_cache_is_silent(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    caplog.set_level("INFO", "nestrec.kernels")
    for expected in (1, 0):
        caplog.clear()
        monkeypatch.setattr(kernel_cache, "_FIRST_COMPILATION", iter([True]))
        assert compiled(plus_one)(1) == 2
        assert compiled(plus_one)(1.0) == 2.0
        assert len(caplog.records) == expected
    assert list(tmp_path.rglob("*.nbc"))


def plus_one(x: float) -> float:
    return x + 1


PROGRAM = """
import logging
from nestrec.kernels.compiled import compiled

logging.basicConfig()

@compiled
def f(x):
    return x + 1

print(f(1), f(1.5))
"""


def run_program(folder: Path, **environment: str) -> tuple[str, str]:
    """Run two signatures of a kernel in a new process; return its standard output and error."""
    (folder / "program.py").write_text(PROGRAM)
    inherited = {name: value for name, value in os.environ.items() if name not in ("NUMBA_CACHE_DIR", "HOME")}
    done = subprocess.run(
        [sys.executable, str(folder / "program.py")],
        env={**inherited, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout, done.stderr


def kept(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.f-*.nbc"))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:100])


def empty(path: Path) -> None:
    path.write_bytes(b"")


def flip(path: Path) -> None:
    """A byte of machine code: what ran would be anything."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0x10
    path.write_bytes(content)


def test_a_damaged_file_is_compiled_anew_and_reported_once(tmp_path: Path) -> None:
    """Every command ended with "Aborted!", or a traceback of unpickling."""
    place = str(tmp_path / "kernels")
    assert run_program(tmp_path, NUMBA_CACHE_DIR=place) == ("2 2.5\n", "")
    whole = kept(tmp_path / "kernels")
    assert len(whole) == 2
    for damage in (cut, empty, flip):
        for path in kept(tmp_path / "kernels"):
            damage(path)
        out, told = run_program(tmp_path, NUMBA_CACHE_DIR=place)
        assert out == "2 2.5\n"
        assert told.count("\n") == 1
        assert "are damaged; they are recompiled" in told
    assert kept(tmp_path / "kernels") == whole
    assert run_program(tmp_path, NUMBA_CACHE_DIR=place) == ("2 2.5\n", "")


def test_the_code_of_one_signature_is_never_taken_for_anothers(tmp_path: Path) -> None:
    """Two processes that filled numba's cache at once could leave it so."""
    place = str(tmp_path / "kernels")
    run_program(tmp_path, NUMBA_CACHE_DIR=place)
    one, other = kept(tmp_path / "kernels")
    one.write_bytes(other.read_bytes())
    assert run_program(tmp_path, NUMBA_CACHE_DIR=place) == ("2 2.5\n", "")


def test_a_cache_that_is_full_is_reported_and_the_kernel_runs(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """It was reported as "the output cannot be used", though the output had room."""

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kernel_cache, "_FIRST", iter([True]))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(Path, "write_bytes", full)
    kernel = compiled(plus_one)
    assert (kernel(1), kernel(1.5)) == (2, 2.5)
    assert len(caplog.records) == 1
    assert f"cannot be cached in {tmp_path}" in caplog.records[0].getMessage()
    assert not list(tmp_path.rglob("*.nbc*"))


def test_many_processes_fill_one_cache(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "kernels")}
    command = [sys.executable, str(tmp_path / "program.py")]
    processes = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    assert [process.communicate() for process in processes] == [("2 2.5\n", "")] * 3
    assert len(kept(tmp_path / "kernels")) == 2
    assert not list((tmp_path / "kernels").rglob("*.tmp.*"))


@pytest.mark.parametrize("home", [None, "/"])
def test_without_a_home_kernels_are_kept_among_temporary_files(tmp_path: Path, home: str | None) -> None:
    """A folder named ~ was left in the working folder; with HOME=/ all was compiled by every command."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    located = (
        "import sys\nfrom nestrec.kernels import kernel_cache\nfrom numba.core.caching import UserWideCacheLocator\n"
        "kernel_cache._Kernels._locator_classes = kernel_cache._Kernels._locator_classes[2:]\n"
        "import os\nos.path.expanduser = lambda path: os.environ.get('HOME', path)\n"
        "from nestrec.kernels.compiled import compiled\n@compiled\ndef f(x):\n    return x + 1\nprint(f(1))"
    )
    (tmp_path / "program.py").write_text(located)
    environment = {name: value for name, value in os.environ.items() if name not in ("HOME", "NUMBA_CACHE_DIR")}
    environment |= {"TMPDIR": str(temporary), **({} if home is None else {"HOME": home})}
    before = sorted(path.name for path in tmp_path.iterdir())
    done = subprocess.run(
        [sys.executable, str(tmp_path / "program.py")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == ("2\n", "")
    assert len(kept(temporary / f"nestrec-kernels-{os.geteuid()}")) == 1
    assert stat.S_IMODE((temporary / f"nestrec-kernels-{os.geteuid()}").stat().st_mode) == 0o700
    assert sorted(path.name for path in tmp_path.iterdir()) == before


@pytest.mark.parametrize("spoil", [lambda folder: folder.chmod(0o777), lambda folder: folder.rename(f"{folder}.x")])
def test_a_folder_that_others_can_write_to_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, spoil: Callable[[Path], object]
) -> None:
    """Kernels are loaded as code."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    folder = kernel_cache._temporary_folder()
    spoil(folder)
    if not folder.exists():
        folder.symlink_to(f"{folder}.x")
    with pytest.raises(PermissionError):
        kernel_cache._temporary_folder()

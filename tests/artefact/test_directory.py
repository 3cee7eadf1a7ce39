"""A directory changes as a whole: a crash at any step leaves the old content or the new."""

from __future__ import annotations

import ctypes
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from nestrec.artefact import directory
from nestrec.artefact.directory import current, replace_directory


class Crash(BaseException):
    """What a test raises where a process would die."""


def writer(text: str) -> Callable[[Path], None]:
    def fill(path: Path) -> None:
        for name in ("one", "two"):
            (path / name).write_text(text)

    return fill


def content(target: Path) -> set[str]:
    found = current(target)
    return {path.read_text() for path in found.iterdir()}


@pytest.fixture(params=[True, False], ids=["exchange", "two renames"])
def target(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not request.param:
        monkeypatch.setattr(directory, "_exchange", lambda _one, _other: False)
    replace_directory(tmp_path / "target", writer("old"))
    return tmp_path / "target"


def test_content_is_replaced_and_nothing_is_left_beside(target: Path) -> None:
    replace_directory(target, writer("new"))
    assert content(target) == {"new"}
    assert [path.name for path in target.parent.iterdir()] == ["target"]


def test_an_error_while_writing_changes_nothing(target: Path) -> None:
    def fail(path: Path) -> None:
        (path / "one").write_text("new")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        replace_directory(target, fail)
    assert content(target) == {"old"}
    assert [path.name for path in target.parent.iterdir()] == ["target"]


@pytest.mark.parametrize("step", range(8))
def test_a_crash_at_any_step_leaves_old_or_new_and_the_next_save_works(
    target: Path, step: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Die before the n-th rename, exchange, removal or flush, and do not even tidy up."""
    steps_left = step

    def dying(real: Callable[..., object]) -> Callable[..., object]:
        def call(*args: object, **options: object) -> object:
            nonlocal steps_left
            if steps_left <= 0:
                raise Crash
            steps_left -= 1
            return real(*args, **options)

        return call

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", dying(Path.rename))
        patch.setattr(directory, "_exchange", dying(directory._exchange))
        patch.setattr(shutil, "rmtree", dying(shutil.rmtree))
        patch.setattr(directory, "_flush", dying(directory._flush))
        try:
            replace_directory(target, writer("new"))
        except Crash:
            pass
        else:
            assert content(target) == {"new"}
    assert content(target) in ({"old"}, {"new"})
    replace_directory(target, writer("newer"))
    assert content(target) == {"newer"}


def test_a_crash_between_two_renames_is_found_by_readers(tmp_path: Path) -> None:
    target = tmp_path / "target"
    replace_directory(target, writer("old"))
    target.rename(tmp_path / ".target.previous")
    assert content(target) == {"old"}
    replace_directory(target, writer("new"))
    assert [path.name for path in tmp_path.iterdir()] == ["target"]


def test_linux_exchanges_in_one_step(tmp_path: Path) -> None:
    if not hasattr(ctypes.CDLL(None), "renameat2"):
        pytest.skip("this system has no renameat2")
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / name).write_text("")
    if not directory._exchange(tmp_path / "one", tmp_path / "other"):
        pytest.skip("this file system cannot exchange names")
    assert (tmp_path / "one" / "other").exists()
    assert (tmp_path / "other" / "one").exists()

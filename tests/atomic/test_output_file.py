"""A file appears whole or not at all, and nothing is replaced that may not be."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from nestrec.atomic.output_file import atomic_file, check_output_file
from nestrec.cli.output_paths import check_model_path
from nestrec.errors import OptionError


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def write(path: Path, text: str, *, overwrite: bool = False) -> None:
    with atomic_file(path, overwrite=overwrite) as partial:
        partial.write_text(text)


def test_a_file_appears_in_folders_that_are_made_and_nothing_is_left_beside(tmp_path: Path) -> None:
    write(tmp_path / "a" / "b" / "x", "new")
    assert (tmp_path / "a" / "b" / "x").read_text() == "new"
    assert names(tmp_path / "a" / "b") == ["x"]


def test_an_existing_file_is_replaced_only_with_overwrite(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")
    with pytest.raises(OptionError, match="already exists; replace it with overwrite=True"):
        write(path, "new")
    with pytest.raises(OptionError, match="already exists"):
        check_output_file(path, overwrite=False)
    assert path.read_text() == "old"
    write(path, "new", overwrite=True)
    assert path.read_text() == "new"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("links", [True, False])
def test_what_comes_meanwhile_is_not_replaced(links: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not links:
        monkeypatch.setattr(os, "link", refuse_links)

    def be_overtaken() -> None:
        with atomic_file(tmp_path / "x") as partial:
            partial.write_text("mine")
            (tmp_path / "x").write_text("another's")

    with pytest.raises(OptionError, match="exists by now"):
        be_overtaken()
    assert (tmp_path / "x").read_text() == "another's"
    write(tmp_path / "y", "new")
    assert names(tmp_path) == ["x", "y"]


def refuse_links(*_: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


def test_an_error_while_writing_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_text("old")

    def fail(error: Exception) -> None:
        with atomic_file(path, overwrite=True) as partial:
            partial.write_text("new")
            raise error

    with pytest.raises(ValueError, match="half way"):
        fail(ValueError("half way"))
    with pytest.raises(OptionError, match=r"cannot be written \(No space left on device\)"):
        fail(OSError(errno.ENOSPC, "No space left on device"))
    assert path.read_text() == "old"
    assert names(tmp_path) == ["x"]


@pytest.mark.parametrize("existed", [True, False])
def test_a_folder_that_cannot_be_flushed_keeps_the_old_file(
    existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if existed:
        (tmp_path / "x").write_text("old")
    fail_on_folders(monkeypatch, errno.EIO)
    with pytest.raises(OptionError, match="Input/output error"):
        write(tmp_path / "x", "new", overwrite=True)
    assert names(tmp_path) == (["x"] if existed else [])
    assert not existed or (tmp_path / "x").read_text() == "old"


@pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_file_systems_that_flush_no_folders_are_written_to(
    number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_on_folders(monkeypatch, number)
    write(tmp_path / "x", "new")
    assert (tmp_path / "x").read_text() == "new"


def fail_on_folders(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)


def test_modes_follow_the_umask_and_outlive_a_replacement(tmp_path: Path) -> None:
    former = os.umask(0o027)
    try:
        write(tmp_path / "x", "new")
    finally:
        os.umask(former)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o640
    (tmp_path / "x").chmod(0o604)
    write(tmp_path / "x", "newer", overwrite=True)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o604


def test_a_link_stays_and_what_it_leads_to_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "x").write_text("old")
    (tmp_path / "link").symlink_to(Path("real") / "x")
    with pytest.raises(OptionError, match="already exists"):
        write(tmp_path / "link", "new")
    write(tmp_path / "link", "new", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real" / "x").read_text() == "new"
    (tmp_path / "nowhere").symlink_to(tmp_path / "real" / "y")
    write(tmp_path / "nowhere", "new")
    assert (tmp_path / "real" / "y").read_text() == "new"


def test_devices_are_written_through(tmp_path: Path) -> None:
    write(Path(os.devnull), "nothing")
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    (tmp_path / "null").symlink_to(os.devnull)
    write(tmp_path / "null", "nothing")
    assert (tmp_path / "null").is_symlink()
    with pytest.raises(OptionError, match="No space left on device"):
        write(Path("/dev/full"), "too much")
    assert stat.S_ISCHR(Path("/dev/full").stat().st_mode)


def test_a_pipe_is_written_through(tmp_path: Path) -> None:
    pipe, heard = tmp_path / "pipe", []
    os.mkfifo(pipe)
    reader = threading.Thread(target=lambda: heard.append(pipe.read_text()))
    reader.start()
    write(pipe, "answer")
    reader.join(10)
    assert heard == ["answer"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_is_continued_not_replaced(name: str, tmp_path: Path) -> None:
    code = (
        "from nestrec.atomic.output_file import atomic_file\nprint('before')\n"
        f"with atomic_file({name!r}) as partial: partial.write_text('inside\\n')\nprint('after')"
    )
    for stdout in ("file", "pipe"):
        with (tmp_path / "out").open("wb") as file:
            done = subprocess.run(
                [sys.executable, "-c", code], stdout=file if stdout == "file" else subprocess.PIPE, check=True
            )
        written = (tmp_path / "out").read_bytes() if stdout == "file" else done.stdout
        assert written.decode().split() == ["before", "inside", "after"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_file_in_a_folder_that_is_closed_is_written_in_place(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("old, and longer")
    tmp_path.chmod(0o555)
    try:
        write(tmp_path / "x", "new", overwrite=True)
        assert (tmp_path / "x").read_text() == "new"
    finally:
        tmp_path.chmod(0o755)


def test_a_file_that_cannot_be_renamed_over_is_written_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is a mount point, as of `docker -v file:/out.json`."""
    (tmp_path / "x").write_text("old, and longer")

    def busy(*_: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    monkeypatch.setattr(Path, "replace", busy)
    write(tmp_path / "x", "new", overwrite=True)
    assert (tmp_path / "x").read_text() == "new"


def test_a_folder_is_not_a_place_for_a_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="is a folder"):
        check_output_file(tmp_path, overwrite=True)
    with pytest.raises(OptionError, match="cannot be written"):
        check_output_file(Path(sys.executable) / "x", overwrite=True)


def test_checking_makes_nothing(tmp_path: Path) -> None:
    check_output_file(tmp_path / "a" / "b", overwrite=False)
    assert names(tmp_path) == []


def test_a_name_of_255_bytes_is_written(tmp_path: Path) -> None:
    write(tmp_path / ("ä" * 127), "new")
    write(tmp_path / ("ä" * 127), "newer", overwrite=True)
    assert names(tmp_path) == ["ä" * 127]


def test_what_a_killed_run_left_goes_with_the_next_one_and_a_living_run_keeps_its_own(tmp_path: Path) -> None:
    code = (
        "import os, sys, time\nfrom nestrec.atomic.output_file import atomic_file\n"
        f"with atomic_file({str(tmp_path / 'x')!r}, overwrite=True) as partial:\n"
        "    partial.write_text('its own')\n    print(flush=True)\n    sys.stdin.read()"
    )
    killed, living = (
        subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) for _ in range(2)
    )
    for process in (killed, living):
        assert process.stdout is not None
        process.stdout.readline()
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert len(names(tmp_path)) == 2
    write(tmp_path / "x", "mine")
    assert len(names(tmp_path)) == 2, "the killed run's is gone, the living one's is there"
    living.communicate()
    assert (tmp_path / "x").read_text() == "its own"
    assert names(tmp_path) == ["x"]


def test_the_folder_of_a_probe_that_could_not_be_removed_goes_with_the_next_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stayed beside a model for good, since the next run probes the folder of the model itself."""
    with monkeypatch.context() as patched:
        patched.setattr(os, "rmdir", _fail)
        check_model_path(tmp_path / "model", overwrite=False)
    assert len(names(tmp_path)) == 1
    (tmp_path / "model").mkdir()
    check_model_path(tmp_path / "model", overwrite=False)
    assert names(tmp_path) == ["model"]
    assert names(tmp_path / "model") == []


def test_a_folder_whose_removal_fails_once_is_removed_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = os.rmdir
    failed: list[bool] = []

    def fail_once(*arguments: object, **options: object) -> None:
        if not failed:
            failed.append(True)
            _fail()
        whole(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(os, "rmdir", fail_once)
    write(tmp_path / "x", "new")
    assert (names(tmp_path), failed) == (["x"], [True])


def _fail(*_arguments: object, **_options: object) -> None:
    raise OSError(errno.EIO, os.strerror(errno.EIO))

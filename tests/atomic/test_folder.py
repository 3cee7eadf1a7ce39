"""A folder changes as a whole: a kill at any step leaves the old content or the new, and other files stay."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import tempfile
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from nestrec.atomic.folder import FILE_SUFFIX, FolderLayout, get_stored_name, read_file_suffix, write_folder
from tests.atomic.kills import Killed, killed_at

LAYOUT = FolderLayout("main.json", ("one.bin", "two.bin"))


def write(target: Path, text: str, *, parts: tuple[str, ...] = LAYOUT.parts, may: bool = True) -> None:
    def fill(folder: Path) -> None:
        for name in parts:
            (folder / name).write_text(text)

    def describe(suffix: str) -> bytes:
        return json.dumps({"parts": parts, "text": text, **({FILE_SUFFIX: suffix} if suffix else {})}).encode()

    def permit() -> None:
        if not may and (target / LAYOUT.main).exists():
            raise PermissionError("there is one already")

    write_folder(target, LAYOUT, fill, lambda _: describe, permit)


def read(target: Path) -> str:
    """Return the content, whole by construction: the main file names the parts, which hold the same text."""
    while True:
        main = (target / LAYOUT.main).read_bytes()
        described = json.loads(main)
        found = [(target / get_stored_name(part, read_file_suffix(main))).read_text() for part in described["parts"]]
        if (target / LAYOUT.main).read_bytes() == main:  # not replaced meanwhile
            assert set(found) == {described["text"]}
            return str(described["text"])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def target(tmp_path: Path) -> Path:
    write(tmp_path / "target", "old")
    return tmp_path / "target"


def test_content_is_replaced_under_its_usual_names_and_nothing_is_left(target: Path) -> None:
    write(target, "new")
    assert read(target) == "new"
    assert names(target) == ["main.json", "one.bin", "two.bin"]
    assert names(target.parent) == ["target"]
    write(target, "newer", parts=("two.bin",))
    assert names(target) == ["main.json", "two.bin"]


def test_other_files_and_the_folder_itself_stay(target: Path) -> None:
    (target / "README.md").write_text("mine")
    (target / ".git").mkdir()
    (target / ".git" / "HEAD").write_text("main")
    before = target.stat().st_ino
    write(target, "new")
    assert target.stat().st_ino == before, "a shell that stands in it still does"
    assert (target / "README.md").read_text() == "mine"
    assert (target / ".git" / "HEAD").read_text() == "main"


@pytest.mark.parametrize("existed", [True, False])
def test_a_kill_at_any_step_leaves_old_or_new_and_the_next_write_works(
    existed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in range(200):
        target = tmp_path / str(step) / "target"
        target.parent.mkdir()
        if existed:
            write(target, "old")
            (target / "README.md").write_text("mine")
        with killed_at(step, monkeypatch), suppress(Killed):
            write(target, "new")
            break
        assert (target / LAYOUT.main).exists() or not existed
        if (target / LAYOUT.main).exists():
            assert read(target) in ({"old", "new"} if existed else {"new"})
        write(target, "newer")
        assert read(target) == "newer"
        assert names(target) == (["README.md"] if existed else []) + ["main.json", "one.bin", "two.bin"]
        assert names(target.parent) == ["target"]
    assert step > 15


@pytest.mark.parametrize("operation", ["rename", "replace", "link", "mkdir", "fsync", "open"])
@pytest.mark.parametrize("existed", [True, False])
def test_a_fault_of_any_operation_keeps_the_old_or_puts_the_new(
    existed: bool, operation: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After an error the old content is there; otherwise the new one."""
    real = getattr(os, operation)
    for step in range(100):
        target = tmp_path / str(step) / "target"
        target.parent.mkdir()
        if existed:
            write(target, "old")
        calls = 0

        def faulty(*arguments: object, _at: int = step, **options: object) -> object:
            nonlocal calls
            calls += 1
            if calls == _at + 1:
                raise OSError(errno.EIO, "Input/output error")
            return real(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(os, operation, faulty)
            try:
                write(target, "new")
                failed = False
            except OSError:
                failed = True
        if failed:
            assert read(target) == "old" if existed else not (target / LAYOUT.main).exists()
        else:
            assert read(target) == "new"
        if calls <= step:
            return
    pytest.fail("it never came through")


def test_an_error_while_filling_changes_nothing(target: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError(errno.ENOSPC, "disk full")

    with pytest.raises(OSError, match="disk full"):
        write_folder(target, LAYOUT, fail, lambda _: lambda _: b"{}", lambda: None)
    assert read(target) == "old"
    assert names(target) == ["main.json", "one.bin", "two.bin"]


def test_what_comes_while_a_new_folder_is_filled_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "target"

    def fill(folder: Path) -> None:
        (folder / "one.bin").write_text("mine")
        if not target.exists():
            write(target, "another's")

    def permit() -> None:
        if target.exists():
            raise PermissionError("there is one already")

    with pytest.raises(PermissionError):
        write_folder(target, LAYOUT, fill, lambda _: lambda _: b"{}", permit)
    assert read(target) == "another's"


def test_without_hard_links_the_new_content_counts_under_other_names(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", link)
    for text in ("new", "newer"):
        write(target, text)
        assert read(target) == text
        assert len(names(target)) == 3


def test_a_folder_without_main_file_is_filled_and_a_stranger_of_a_parts_name_is_not_deleted(tmp_path: Path) -> None:
    (tmp_path / "one.bin").write_text("mine")
    write(tmp_path, "new", parts=("two.bin",))
    assert read(tmp_path) == "new"


def test_writers_wait_for_each_other_and_readers_see_one_content_or_another(target: Path) -> None:
    stop = threading.Event()

    def keep_reading() -> None:
        while not stop.is_set():
            with suppress(FileNotFoundError):  # the middle of a replacement: read again
                read(target)

    reader = threading.Thread(target=keep_reading)
    reader.start()
    writers = [threading.Thread(target=write, args=(target, f"text {number}")) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    stop.set()
    reader.join()
    assert read(target).startswith("text")
    assert names(target) == ["main.json", "one.bin", "two.bin"]


def test_a_folder_in_a_closed_folder_is_written_inside() -> None:
    """As a user other than root, whom modes do not hold back."""
    code = (
        "import json, os, sys\nfrom pathlib import Path\nfrom nestrec.atomic.folder import FolderLayout, write_folder\n"
        "if os.geteuid() == 0:\n    os.setgroups([]); os.setgid(12345); os.setuid(12345)\n"
        "write_folder(Path(sys.argv[1]), FolderLayout('main.json', ('a.bin',)), "
        "lambda f: (f / 'a.bin').write_text('x'), lambda f: lambda s: json.dumps({'file_suffix': s}).encode(), "
        "lambda: None)"
    )
    with tempfile.TemporaryDirectory() as folder:
        closed, place = Path(folder), Path(folder) / "model"
        place.mkdir()
        place.chmod(0o777)
        closed.chmod(0o555)
        try:
            subprocess.run([sys.executable, "-c", code, str(place)], check=True, timeout=60)
            assert names(place) == ["a.bin", "main.json"]
        finally:
            closed.chmod(0o755)

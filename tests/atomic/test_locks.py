"""A lock excludes others for as long as it is held, also where its file is deleted meanwhile."""

from __future__ import annotations

import errno
import fcntl
from pathlib import Path

import pytest

from nestrec.atomic.locks import FileLock, LockTakenError


def test_a_lock_is_exclusive_until_it_is_released(tmp_path: Path) -> None:
    lock = FileLock(tmp_path / "lock")
    assert lock.held
    with pytest.raises(LockTakenError):
        FileLock(tmp_path / "lock")
    lock.release()
    lock.release()
    FileLock(tmp_path / "lock").release(delete=True)
    assert list(tmp_path.iterdir()) == []


def test_a_lock_on_a_deleted_file_is_not_taken_for_one_on_the_new_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another holder deletes the file after it was opened here and before it is locked."""
    real = fcntl.flock
    deleted: list[Path] = []

    def flock(descriptor: int, how: int) -> None:
        if not deleted:
            (tmp_path / "lock").unlink()
            deleted.append(tmp_path / "lock")
        real(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    lock = FileLock(tmp_path / "lock", patience=1)
    with pytest.raises(LockTakenError):
        FileLock(tmp_path / "lock")
    lock.release()


def test_where_there_are_no_locks_nothing_is_excluded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    locks = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert [lock.held for lock in locks] == [False, False]
    for lock in locks:
        lock.release()

"""The state on disk: whole or refused, and never in the place of something else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import TrainingError
from nestrec.training.checkpoint import Arrays, Checkpoint
from nestrec.training.checkpoint_folder import CheckpointFolder
from nestrec.training.options import Run
from nestrec.training.training_state import PhaseState, TrainingState
from tests.atomic.kills import Killed, killed_at
from tests.training.worlds import Interfering, Recorder, is_same, quick, tiny

ARRAYS: Arrays = {"users": np.arange(6, dtype=np.float32).reshape(2, 3), "items": np.ones((1, 3), np.float32)}
STATE = TrainingState(PhaseState("search", epoch=3))


def at_epoch(epoch: int) -> TrainingState:
    return TrainingState(PhaseState("search", epoch=epoch))


@pytest.fixture
def checkpoint(tmp_path: Path) -> Checkpoint:
    folder = CheckpointFolder(tmp_path / "runs" / "state")
    folder.open()
    written = Checkpoint(folder, {"seed": 1, "widths": [4, 8]}, 0.0)
    written.write(STATE, ARRAYS)
    return written


def arrays_file(directory: Path) -> Path:
    (found,) = directory.glob("arrays-*.safetensors")
    return found


def test_what_was_written_is_read(checkpoint: Checkpoint) -> None:
    found = checkpoint.read()
    assert found is not None
    assert found.state == STATE
    assert {name: array.tolist() for name, array in found.arrays.items()} == {
        name: array.tolist() for name, array in ARRAYS.items()
    }


def test_the_next_write_replaces_all(checkpoint: Checkpoint) -> None:
    """Nothing of the former state is left, not in the directory and not beside it."""
    checkpoint.write(at_epoch(4), {"users": ARRAYS["users"] + 1})
    found = checkpoint.read()
    assert found is not None
    assert found.state.current.epoch == 4
    assert list(found.arrays) == ["users"]
    assert [path.name for path in checkpoint.directory.parent.iterdir()] == ["state"]
    assert len(list(checkpoint.directory.iterdir())) == 3  # state, arrays, lock


def test_arrays_that_were_read_stay_readable_when_replaced(checkpoint: Checkpoint) -> None:
    """A resumed run maps the file it goes on from and soon writes the next one."""
    found = checkpoint.read()
    assert found is not None
    checkpoint.write(STATE, {"users": ARRAYS["users"] + 1})
    checkpoint.folder.delete()
    assert not checkpoint.directory.exists()
    np.testing.assert_array_equal(found.arrays["users"], ARRAYS["users"])


def test_without_a_directory_there_is_nothing_to_read(tmp_path: Path) -> None:
    assert Checkpoint(CheckpointFolder(tmp_path / "none"), {}, 0.0).read() is None


def test_a_kill_at_any_step_of_a_write_or_a_deletion_leaves_a_whole_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or none, where there was none before or it was being deleted; nobody has to tidy up."""

    def life(folder: CheckpointFolder) -> None:
        folder.open()
        for epoch in (1, 2):
            Checkpoint(folder, {}, 0.0).write(at_epoch(epoch), ARRAYS)
        folder.delete()

    for step in range(200):
        folder = CheckpointFolder(tmp_path / str(step))
        with killed_at(step, monkeypatch), suppress(Killed):
            life(folder)
            break
        if folder._lock is not None and folder._lock.held:
            os.close(folder._lock._descriptor)  # as the system does for a process that is dead
        after = CheckpointFolder(folder.path)
        after.open()
        found = Checkpoint(after, {}, 0.0).read()
        assert found is None or (found.state.current.epoch in (1, 2) and set(found.arrays) == set(ARRAYS))
        Checkpoint(after, {}, 0.0).write(at_epoch(3), ARRAYS)
        assert len(list(folder.path.iterdir())) == 3
        after.delete()
        assert not folder.path.exists()
    assert step > 15


def test_two_trainings_never_share_a_checkpoint(checkpoint: Checkpoint) -> None:
    with pytest.raises(TrainingError, match="which another run is using"):
        CheckpointFolder(checkpoint.directory).open()
    with pytest.raises(TrainingError, match="which another run is using"):
        quick().fit(tiny(), run=Run(checkpoint=checkpoint.directory))
    checkpoint.folder.close()
    CheckpointFolder(checkpoint.directory).delete()
    assert not checkpoint.directory.exists()


def test_a_full_disk_keeps_the_former_state(checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, name, full)
            with pytest.raises(TrainingError, match="No space left on device"):
                checkpoint.write(at_epoch(9), ARRAYS)
        found = checkpoint.read()
        assert found is not None
        assert found.state == STATE
        assert len(list(checkpoint.directory.iterdir())) == 3


def test_a_checkpoint_that_cannot_be_written_does_not_end_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise TrainingError("checkpoint cannot be written (No space left on device)")

    monkeypatch.setattr(Checkpoint, "write", full)
    recorder = Recorder()
    quick().fit(tiny(), run=Run(checkpoint=tmp_path / "state", checkpoint_seconds=0.0, callbacks=recorder))
    assert any("No space left on device" in note for note in recorder.messages)


def test_the_folder_is_deleted_after_its_block_and_kept_by_an_error(tmp_path: Path) -> None:
    """Thirteen of thirteen kills between the end of training and the end of saving lost the whole training."""
    place = tmp_path / "state"

    def train(save: Callable[[NestedEmbeddings], None]) -> None:
        with CheckpointFolder(place) as folder:
            save(quick().fit(tiny(), run=Run(deterministic=True, checkpoint=folder, checkpoint_seconds=0.0)))

    models: list[NestedEmbeddings] = []

    def fail(model: NestedEmbeddings) -> None:
        models.append(model)
        raise OSError("full")

    with pytest.raises(OSError, match="full"):
        train(fail)
    assert (place / "state.json").exists()
    recorder = Recorder()
    run = Run(deterministic=True, checkpoint=place, checkpoint_seconds=0.0, resume=True, callbacks=recorder)
    assert is_same(quick().fit(tiny(), run=run), models[0])
    assert sum(recorder.n_advanced) == 0, "nothing was trained again"
    train(models.append)
    assert not place.exists()


def test_a_write_is_due_after_the_time_asked_for(tmp_path: Path) -> None:
    assert Checkpoint(CheckpointFolder(tmp_path), {}, 0.0).is_due()
    assert not Checkpoint(CheckpointFolder(tmp_path), {}, 60.0).is_due()


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def drop_arrays(directory: Path) -> None:
    arrays_file(directory).unlink()


def of_another_version(directory: Path) -> None:
    document = json.loads((directory / "state.json").read_text())
    (directory / "state.json").write_text(json.dumps({**document, "version": 99}))


def without_identity(directory: Path) -> None:
    document = json.loads((directory / "state.json").read_text())
    (directory / "state.json").write_text(json.dumps({**document, "identity": None}))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda at: cut(arrays_file(at)), "is damaged .* delete it and start anew"),
        (lambda at: flip(arrays_file(at)), "the checksum of .* is wrong"),
        (drop_arrays, "is damaged .* delete it and start anew"),
        (lambda at: cut(at / "state.json"), "must be a complete checkpoint .* delete it and start anew"),
        (lambda at: (at / "state.json").write_text("[]"), "must be a complete checkpoint .* delete it and start anew"),
        (of_another_version, "must be a complete checkpoint of this version of nestrec .* delete it"),
        (without_identity, "must be a complete checkpoint of this version of nestrec .* delete it"),
    ],
)
def test_damage_is_a_sentence(checkpoint: Checkpoint, damage: Callable[[Path], object], sentence: str) -> None:
    """One flipped bit of a vector, too: a resumed run would end elsewhere without a word."""
    damage(checkpoint.directory)
    with pytest.raises(TrainingError, match=sentence):
        checkpoint.read()


def test_another_identity_is_reported_by_name(checkpoint: Checkpoint) -> None:
    other = replace(checkpoint, identity={"seed": 2, "widths": [4, 8]})
    with pytest.raises(TrainingError, match="was made with seed 1, got 2; give the same"):
        other.read()


def a_file(place: Path) -> None:
    place.write_text("letters to a friend")


def a_directory(place: Path) -> None:
    place.mkdir()
    (place / "letters.txt").write_text("to a friend")


def a_state_of_others(place: Path) -> None:
    a_directory(place)
    (place / "state.json").write_text('{"window": [1, 2]}')


@pytest.mark.parametrize("put", [a_file, a_directory, a_state_of_others])
def test_something_else_is_refused_before_training_and_kept(tmp_path: Path, put: Callable[[Path], None]) -> None:
    """No epoch is spent on a run whose state could not be kept; nobody's files are replaced or deleted."""
    place = tmp_path / "work"
    put(place)
    before = [(path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()]
    recorder = Recorder()
    with pytest.raises(TrainingError, match=r"must be empty or hold a checkpoint.*; give another"):
        quick().fit(tiny(), run=Run(checkpoint=place, callbacks=recorder))
    assert recorder.starts == []
    assert [(path, path.read_bytes()) for path in tmp_path.rglob("*") if path.is_file()] == before


def test_what_comes_into_its_place_meanwhile_is_not_deleted(tmp_path: Path) -> None:
    """The place is looked at again before anything is removed; the model is not lost for it."""
    place = tmp_path / "work"
    callback = Interfering(at_slice=1, act=lambda: (place / "letters.txt").write_text("to a friend"))
    model = quick().fit(tiny(), run=Run(checkpoint=place, checkpoint_seconds=1e9, callbacks=callback))
    assert model.manifest["training"]["interrupted"] is False
    assert (place / "letters.txt").is_file()


def test_an_empty_directory_is_free(tmp_path: Path) -> None:
    """Whoever made the place beforehand meant it."""
    place = tmp_path / "work"
    place.mkdir()
    stopper = Interfering(at_slice=2)
    with pytest.raises(KeyboardInterrupt):
        quick().fit(tiny(), run=Run(checkpoint=place, checkpoint_seconds=0.0, callbacks=stopper))
    assert (place / "state.json").is_file()

"""`nestrec update`: takes new interactions in, replaces the model, removes from all files, says what changed."""

from __future__ import annotations

import csv
import json
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from nestrec import NestedEmbeddings
from tests.cli.conftest import Run

KEEP = ("--deterministic", "--quiet")


@pytest.fixture
def own(model: Path, tmp_path: Path) -> Path:
    """Return a copy of the model, to be updated."""
    return Path(shutil.copytree(model, tmp_path / "model"))


def last(path: Path) -> dict[str, Any]:
    """Return the record of the latest update of a model."""
    record: dict[str, Any] = json.loads((path / "manifest.json").read_text(encoding="utf-8"))["updates"][-1]
    return record


def test_the_model_is_replaced_and_shows_its_history(run: Run, own: Path, unseen: Path) -> None:
    before = NestedEmbeddings.load(own)
    n_before = before.seen.n_interactions
    result = run("update", own, unseen, "--deterministic")
    assert result.code == 0
    assert f"the model is in {own}" in result.err
    for shown in ("changed", "removed", "user cosine", "top 10 in common"):
        assert shown in result.out
    after = NestedEmbeddings.load(own, verify=True)
    assert after.seen.n_interactions == n_before + last(own)["interactions"]["new"]
    shown = run("info", own).out
    assert "Updates" in shown
    assert f"{after.seen.n_interactions:,}" in shown
    assert json.loads(run("info", own, "--json").out)["updates"] == [last(own)]


def test_out_leaves_the_model(run: Run, own: Path, unseen: Path, tmp_path: Path) -> None:
    manifest = (own / "manifest.json").read_bytes()
    words = "update", own, unseen, "--out", tmp_path / "new", "--epochs", 0, *KEEP
    assert run(*words).code == 0
    assert (own / "manifest.json").read_bytes() == manifest
    assert last(tmp_path / "new")["epochs"] == 0
    refused = run(*words)
    assert refused.code == 1
    assert "already holds a model" in refused.err
    assert run(*words, "--overwrite").code == 0


def test_what_is_removed_is_in_no_file(run: Run, own: Path, tmp_path: Path) -> None:
    model = NestedEmbeddings.load(own)
    user, other, item = model.users.ids[3], model.users.ids[5], model.items.ids[2]
    first = model.items.ids[model.seen.indices[model.seen.indptr[5]]]
    (tmp_path / "users.txt").write_text(f"{user}\nnobody\n", encoding="utf-8")
    (tmp_path / "items.csv").write_text(f"item_id\n{item}\n", encoding="utf-8")
    (tmp_path / "pairs.csv").write_text(f"user_id,item_id\n{other},{first}\n", encoding="utf-8")
    words = (
        "update", own, "--remove-users", tmp_path / "users.txt", "--remove-items", tmp_path / "items.csv",
        "--remove-interactions", tmp_path / "pairs.csv", "--epochs", 1, "--deterministic",
    )  # fmt: skip
    contents = {path: path.read_bytes() for path in own.iterdir()}
    refused = run(*words)
    assert refused.code == 1
    assert "nobody" in refused.err
    assert {path: path.read_bytes() for path in own.iterdir()} == contents
    result = run(*words, "--skip-unknown")
    assert result.code == 0
    assert "Skipped 1" in result.err
    for path in own.rglob("*"):
        assert not path.is_file() or (user.encode() not in path.read_bytes() and item.encode() not in path.read_bytes())
    after = NestedEmbeddings.load(own)
    row = int(after.users.index_of(other))
    kept = after.items.ids[after.seen.indices[after.seen.indptr[row] : after.seen.indptr[row + 1]]]
    assert first not in kept.tolist()


def test_the_old_model_and_a_checkpoint_still_hold_what_was_removed(run: Run, own: Path, tmp_path: Path) -> None:
    user = NestedEmbeddings.load(own).users.ids[3]
    (tmp_path / "users.txt").write_text(f"{user}\n", encoding="utf-8")
    checkpoint = tmp_path / "model.checkpoint"
    checkpoint.mkdir()
    (checkpoint / "state.json").write_text("of an interrupted training", encoding="utf-8")
    result = run("update", own, "--remove-users", tmp_path / "users.txt", "--epochs", 0, "--out", tmp_path / "new")
    assert result.code == 0
    assert f"{own} still holds what was removed" in result.err
    assert f"{checkpoint} is the checkpoint of the training before" in result.err


def test_ctrl_c_leaves_the_model(run: Run, own: Path, unseen: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from nestrec.training.progress import TrainingProgress

    contents = {path: path.read_bytes() for path in own.iterdir()}
    monkeypatch.setattr(TrainingProgress, "on_progress", lambda *_: signal.raise_signal(signal.SIGINT))
    assert run("update", own, unseen).code == 130
    assert {path: path.read_bytes() for path in own.iterdir()} == contents


def test_changed_vectors_are_written(run: Run, own: Path, unseen: Path, tmp_path: Path) -> None:
    before = NestedEmbeddings.load(own)
    vectors, ids = np.array(before.user_embeddings), before.users.ids.tolist()
    out = tmp_path / "changed.csv"
    assert run("update", own, unseen, "--changed-tolerance", 0.3, "--changed-out", out, *KEEP).code == 0
    with out.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["side"] for row in rows} <= {"user", "item"}
    changed = {row["id"] for row in rows if (row["side"], row["change"]) == ("user", "changed")}
    assert len(changed) == last(own)["users"]["changed"] > 0
    after = NestedEmbeddings.load(own).user_embeddings
    assert {name for name, one, other in zip(ids, vectors, after, strict=True) if (one != other).any()} == changed
    assert run("update", own, unseen, "--changed-out", out, "--epochs", 0).code == 1
    assert run("update", own, unseen, "--changed-out", tmp_path / "c.txt").code == 2


def test_epochs_learning_rate_and_seed_are_used(run: Run, own: Path, unseen: Path, tmp_path: Path) -> None:
    def vectors(*words: object) -> bytes:
        assert run("update", own, unseen, "--out", tmp_path / "new", "--overwrite", *KEEP, *words).code == 0
        return (tmp_path / "new" / "embeddings.safetensors").read_bytes()

    plain = vectors()
    assert vectors() == plain
    for words in (("--epochs", 2), ("--learning-rate", 0.01), ("--seed", 5)):
        assert vectors(*words) != plain
    assert last(tmp_path / "new")["seed"] == 5


def test_validation_of_an_update(run: Run, own: Path, unseen: Path, interactions: Path, tmp_path: Path) -> None:
    out = tmp_path / "new"
    result = run("update", own, unseen, "--validation-fraction", 0.3, "--epochs", 3, "--deterministic", "--out", out)
    assert result.code == 0
    assert "On the validation part" in result.out
    assert last(out)["validation"]["epoch"] <= 3
    both = run("update", own, unseen, "--validation", interactions, "--validation-fraction", 0.3)
    assert both.code == 2
    assert run("update", own, "--validation", unseen, interactions, "--epochs", 2, *KEEP).code == 0


@pytest.mark.parametrize(
    ("words", "code", "named"),
    [
        (lambda own, unseen: (own,), 2, "neither"),
        (lambda own, unseen: (own, unseen, "--threads", 0), 2, "--threads must be at least 1"),
        (lambda own, unseen: (own, unseen, "--epochs", -1), 2, "--epochs must be between 0"),
        (lambda own, unseen: (own, unseen, "--changed-tolerance", 2), 2, "--changed-tolerance"),
        (lambda own, unseen: (own.parent / "none", unseen), 1, "no model"),
        # before a file is read
        (lambda own, unseen: (own, "none.csv", "--changed-tolerance", 2), 2, "--changed-tolerance"),
        (lambda own, unseen: (own, "none.csv", "--epochs", -1), 2, "--epochs"),
        (lambda own, unseen: (own, "none.csv", "--learning-rate", 99), 2, "--learning-rate"),
        (lambda own, unseen: (own, "none.csv", "--seed", -1), 2, "--seed"),
        (lambda own, unseen: (own, "none.csv", "--validation-fraction", 2), 2, "2"),
        (lambda own, unseen: (own, "none.csv", "--validation-fraction", 0.1, "--epochs", 0), 2, "--epochs 0"),
        (lambda own, unseen: (own, "--remove-users", "none.csv", "--validation-fraction", 0.1), 2, "validation"),
    ],
)
def test_mistakes_of_an_update(
    run: Run, own: Path, unseen: Path, words: Callable[[Path, Path], tuple[object, ...]], code: int, named: str
) -> None:
    contents = {path: path.read_bytes() for path in own.iterdir()}
    result = run("update", *words(own, unseen))
    assert result.code == code
    assert named in result.err
    assert {path: path.read_bytes() for path in own.iterdir()} == contents


def test_interactions_to_remove_that_are_not_there_are_skipped_by_an_option(
    run: Run, own: Path, tmp_path: Path
) -> None:
    """The error named Python's argument."""
    item = NestedEmbeddings.load(own).items.ids[0]
    (tmp_path / "pairs.csv").write_text(f"user_id,item_id\nnobody,{item}\n", encoding="utf-8")
    refused = run("update", own, "--remove-interactions", tmp_path / "pairs.csv", "--epochs", 0)
    assert refused.code == 1
    assert "or skip them with --skip-unknown" in refused.err


def test_pairs_without_a_header_are_not_items_to_remove(run: Run, tmp_path: Path) -> None:
    numbers = NestedEmbeddings.from_arrays([[1.0], [2.0], [3.0]], [[1.0], [2.0], [3.0]], widths=[1])
    numbers.save(tmp_path / "m")
    (tmp_path / "pairs.csv").write_text("0,2\n1,2\n")
    contents = {path: path.read_bytes() for path in (tmp_path / "m").iterdir()}
    assert run("update", tmp_path / "m", "--remove-items", tmp_path / "pairs.csv").code == 1
    assert {path: path.read_bytes() for path in (tmp_path / "m").iterdir()} == contents


@pytest.mark.parametrize(
    ("name", "header", "told"),
    [
        ("x.csv", "movieId", "which usually holds items"),
        ("x.txt", "movieId", "which usually holds items"),
        ("x.csv", "film,who", "a column with a usual name for users"),
    ],
)
def test_users_to_remove_are_never_taken_from_a_column_of_items(
    run: Run, own: Path, tmp_path: Path, name: str, header: str, told: str
) -> None:
    """A file of movies given by mistake removed the users with the same numbers."""
    user = NestedEmbeddings.load(own).users.ids[3]
    (tmp_path / name).write_text(f"{header}\n{user},{user}\n" if "," in header else f"{header}\n{user}\n")
    contents = {path: path.read_bytes() for path in own.iterdir()}
    result = run("update", own, "--remove-users", tmp_path / name, "--skip-unknown", "--epochs", 0)
    assert (result.code, told in result.err) == (1, True), result.err
    assert {path: path.read_bytes() for path in own.iterdir()} == contents


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".jsonl"])
def test_the_column_and_the_number_of_ids_to_remove_are_printed(
    run: Run, own: Path, tmp_path: Path, suffix: str
) -> None:
    model = NestedEmbeddings.load(own)
    ids = model.users.ids[[3, 4]].tolist()
    table = pl.DataFrame({"film": model.items.ids[:2].tolist(), "visitor": ids})
    path = tmp_path / f"forget{suffix}"
    write: dict[str, Callable[[Path], None]] = {
        ".csv": table.write_csv, ".parquet": table.write_parquet, ".jsonl": table.write_ndjson,
    }  # fmt: skip
    write[suffix](path)
    result = run("update", own, "--remove-users", path, "--epochs", 0)
    assert result.code == 0
    assert f"{path}: 2 user ids to remove, from column visitor" in result.err
    assert not set(ids) & set(NestedEmbeddings.load(own).users.ids.tolist())


def test_a_text_id_among_whole_numbers_is_said_to_make_them_text(run: Run, tmp_path: Path) -> None:
    """All ids of the side became text silently."""
    rows = [f"{user},{item}" for user in range(12) for item in range(8) if (user + item) % 3]
    (tmp_path / "old.csv").write_text("user,item\n" + "\n".join(rows) + "\n")
    (tmp_path / "new.csv").write_text("user,item\nalice,3\nalice,4\n")
    words = ("--widths", "2,4", "--epochs", 1, "--no-validation", "--deterministic", "--out", tmp_path / "m")
    assert run("train", tmp_path / "old.csv", *words).code == 0
    result = run("update", tmp_path / "m", tmp_path / "new.csv", "--epochs", 0)
    assert result.code == 0
    assert "user ids were whole numbers and are text from now on, because of 'alice'" in result.err
    assert "item ids were" not in result.err
    assert "from now on" not in run("update", tmp_path / "m", tmp_path / "new.csv", "--epochs", 0).err


def _unseen_item(path: Path) -> str:
    """Return an item that user u001 has not seen."""
    model = NestedEmbeddings.load(path)
    return str(model.recommend("u001", k=1).ids[0])


def test_info_says_of_which_model_the_metrics_are(run: Run, own: Path, unseen: Path) -> None:
    assert "before 1 update" not in run("info", own).out
    assert run("update", own, unseen, "--epochs", 1, *KEEP).code == 0
    shown = run("info", own).out
    assert "These are metrics of the model before 1 update; nestrec evaluate measures it as it is" in shown
    assert "Of the last update" not in shown
    (own.parent / "one.txt").write_text(f"{NestedEmbeddings.load(own).users.ids[-1]}\n", encoding="utf-8")
    (own.parent / "held.csv").write_text(f"user_id,item_id\nu001,{_unseen_item(own)}\n")
    words = ("--remove-users", own.parent / "one.txt", "--validation", own.parent / "held.csv", "--epochs", 1)
    assert run("update", own, *words, *KEEP).code == 0
    shown = run("info", own).out
    assert "before 2 updates" in shown
    assert "Of the last update: on the validation part, epoch 1" in shown

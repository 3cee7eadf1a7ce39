"""Where the commands take interactions from: several files, folders, pipes, standard input."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from threading import Thread

import pytest

from nestrec.embeddings import NestedEmbeddings
from tests.cli.conftest import SMALL, Run


def _parts(interactions: Path, folder: Path) -> list[Path]:
    folder.mkdir()
    header, *rows = interactions.read_text().splitlines(keepends=True)
    paths = [folder / f"part-{place}.csv" for place in range(3)]
    for place, path in enumerate(paths):
        path.write_text(header + "".join(rows[place::3]))
    return paths


def test_several_files_and_a_folder_train_the_same_model(
    run: Run, interactions: Path, model: Path, tmp_path: Path
) -> None:
    parts = _parts(interactions, tmp_path / "parts")
    for place, files in enumerate(([tmp_path / "parts"], parts)):
        result = run("train", *files, "--out", tmp_path / str(place), *SMALL)
        assert result.code == 0, result.err
        assert "3 files" in result.err
        trained, expected = NestedEmbeddings.load(tmp_path / str(place)), NestedEmbeddings.load(model)
        assert (trained.user_embeddings == expected.user_embeddings).all()


def test_standard_input_is_for_one_thing(run: Run, model: Path, tmp_path: Path) -> None:
    for words in (
        ("train", "-", "--validation", "-", "--out", tmp_path / "m"),
        ("evaluate", model, "-", "-"),
        ("compare", "-", "/dev/stdin", "--out", tmp_path / "c"),
    ):
        result = run(*words)
        assert result.code == 2
        assert "only once" in result.err


def test_waiting_for_a_named_pipe_is_announced(run: Run, interactions: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    Thread(target=lambda: pipe.write_bytes(interactions.read_bytes()), daemon=True).start()
    result = run("train", pipe, "--out", tmp_path / "m", *SMALL)
    assert result.code == 0
    assert f"{pipe} is a named pipe; waiting" in result.err


def test_interactions_are_piped_into_training(interactions: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "nestrec", "train", "-", "--out", str(tmp_path / "m"), *SMALL]
    done = subprocess.run(words, input=interactions.read_bytes(), capture_output=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.startswith(b"standard input: 1,538 rows read as csv")


def test_an_unreadable_file_is_reported_by_its_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "loop.csv").symlink_to("loop.csv")
    for name in ("loop.csv", "x" * 300, "none.csv"):
        result = run("train", tmp_path / name, "--out", tmp_path / "m")
        assert result.code == 1
        assert name in result.err
        assert "the output cannot" not in result.err


@pytest.mark.parametrize("command", ["train", "split"])
def test_quiet_hides_no_count_of_invalid_rows(run: Run, interactions: Path, tmp_path: Path, command: str) -> None:
    table = tmp_path / "x.csv"
    table.write_text(interactions.read_text() + ",i001,3,4,5,6\n,i002,3,4,5,6\n")
    result = run(command, table, "--out", tmp_path / "out", "-q", *(SMALL if command == "train" else ()))
    warnings = [line for line in result.err.splitlines() if str(table) in line]
    assert result.code == 0
    assert len(warnings) == 1
    assert "2 of 1," in warnings[0]
    assert "the user id is missing" in warnings[0]


@pytest.mark.parametrize("command", ["train", "compare", "evaluate", "split"])
def test_that_ratings_are_not_used_is_said_once(
    run: Run, interactions: Path, model: Path, tmp_path: Path, command: str
) -> None:
    """`train` with a validation file and `compare` said it once for each file."""
    rest, held_out = tmp_path / "rest.csv", tmp_path / "held-out.csv"
    header, *rows = interactions.read_text().splitlines(keepends=True)
    rest.write_text(header + "".join(rows[::2]))
    held_out.write_text(header + "".join(rows[1::2]))
    words = {
        "train": (rest, "--validation", held_out, "--out", tmp_path / "m", *SMALL),
        "compare": (rest, held_out, "--out", tmp_path / "c", "--models", "popularity", "--seeds", "0", "--trials", "0"),
        "evaluate": (model, held_out, rest),
        "split": (rest, "--out", tmp_path / "parts"),
    }
    result = run(command, *words[command])
    assert "ratings are not used (column rating)" in result.err
    assert result.err.count("not used") == 1

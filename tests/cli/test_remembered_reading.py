"""How the training data were read is kept in the model, and holds for files of updates and histories."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from nestrec import NestedEmbeddings
from nestrec.cli.remembered_reading import RememberedReading
from tests.cli.conftest import SMALL, Run
from tests.cli.test_recommend import rows_of

GIVEN = ("--user-column", "who", "--item-column", "sku", "--min-rating", "3", "--rating-weights", "--half-life", "0.5")


def write(path: Path, rows: Sequence[tuple[object, ...]], header: str = "who,sku,rating,timestamp") -> Path:
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows), ""]), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def ratings(interactions: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    with interactions.open(newline="", encoding="utf-8") as file:
        rows = [(row["user_id"], row["item_id"], row["rating"], row["timestamp"]) for row in csv.DictReader(file)]
    return write(tmp_path_factory.mktemp("named") / "r.csv", rows)


@pytest.fixture
def own(run: Run, ratings: Path, tmp_path: Path) -> Path:
    assert run("train", ratings, "--out", tmp_path / "m", *SMALL, *GIVEN).code == 0
    return tmp_path / "m"


def section(model: Path) -> Any:
    return json.loads((model / "manifest.json").read_text(encoding="utf-8"))["data"].get("reading")


def seen_of(model: Path, user: str) -> list[str]:
    loaded = NestedEmbeddings.load(model)
    row = int(loaded.users.index_of(user))
    return sorted(loaded.items.ids[loaded.seen.indices[loaded.seen.indptr[row] : loaded.seen.indptr[row + 1]]].tolist())


def test_given_options_are_kept_and_no_paths(run: Run, own: Path, model: Path) -> None:
    kept = {"user_column": "who", "item_column": "sku", "min_rating": 3.0, "rating_weights": True, "half_life": 0.5}
    assert section(own) == kept
    assert section(model) is None
    line = "Read with --user-column who --item-column sku --min-rating 3 --rating-weights --half-life 0.5"
    assert line in run("info", own).out
    assert "Read with" not in run("info", model).out


def test_an_update_reads_as_the_training_did(run: Run, own: Path, tmp_path: Path) -> None:
    """A row rated below the minimum became an interaction, and weights were lost."""
    a, b = NestedEmbeddings.load(own).items.ids[:2].tolist()
    new = write(tmp_path / "new.csv", [("ann", a, 5, 0), ("ann", b, 2, 0)])
    result = run("update", own, new, "--epochs", "0")
    assert result.code == 0, result.err
    assert "new.csv is read as the training data were: --user-column who --item-column sku --min-rating 3" in result.err
    assert seen_of(own, "ann") == [a]
    loaded = NestedEmbeddings.load(own)
    assert loaded.seen.weights is not None
    assert loaded.seen.weights[loaded.seen.indptr[int(loaded.users.index_of("ann"))]] == 5
    assert section(own)["min_rating"] == 3
    assert (
        run("update", own, write(tmp_path / "x.csv", [("bob", b, 2, 0)]), "--epochs", "0", "--min-rating", "1").code
        == 0
    )
    assert seen_of(own, "bob") == [b]


def test_remembered_options_can_be_left_out_and_columns_found_by_name(run: Run, own: Path, tmp_path: Path) -> None:
    a, b = NestedEmbeddings.load(own).items.ids[:2].tolist()
    pairs = write(tmp_path / "pairs.csv", [("ann", a), ("ann", b)], "user_id,item_id")
    refused = run("update", own, pairs, "--epochs", "0")
    assert (refused.code, refused.out) == (1, "")
    assert "--min-rating cannot be applied" in refused.err
    assert run("update", own, pairs, "--epochs", "0", "--not-as-trained").code == 0
    assert seen_of(own, "ann") == sorted([a, b])
    some = write(tmp_path / "some.csv", [("ann", b)], "user_id,item_id")
    assert run("update", own, "--remove-interactions", some, "--epochs", "0").code == 0
    assert seen_of(own, "ann") == [a]


def test_a_weight_column_takes_the_place_of_rating_weights(run: Run, own: Path, tmp_path: Path) -> None:
    item = NestedEmbeddings.load(own).items.ids[0]
    new = write(tmp_path / "new.csv", [("ann", item, 5, 0, 2)], "who,sku,rating,timestamp,plays")
    assert run("update", own, new, "--epochs", "0", "--weight-column", "plays").code == 0
    loaded = NestedEmbeddings.load(own)
    assert loaded.seen.weights is not None
    assert loaded.seen.weights[loaded.seen.indptr[int(loaded.users.index_of("ann"))]] == 2


def test_a_history_is_read_as_the_training_was(run: Run, own: Path, tmp_path: Path) -> None:
    loaded = NestedEmbeddings.load(own)
    a, b = loaded.items.ids[:2].tolist()

    def recommended(path: Path, *words: str) -> list[str]:
        return [row[1] for row in rows_of(run("recommend", own, "--history", path, "-k", "4", *words).out)[1:]]

    one, both = ([str(item) for item in loaded.recommend_for(items, 4).ids] for items in ([a], [a, b]))
    rows: list[tuple[object, ...]] = [("ann", a, 5), ("ann", b, 2)]
    path = write(tmp_path / "h.csv", rows, "who,sku,rating")
    assert recommended(path) == one
    assert recommended(path, "--min-rating", "1") == both
    usual = write(tmp_path / "usual.csv", [row[:2] for row in rows], "user_id,item_id")
    assert recommended(usual) == both
    assert "usual.csv has no ratings, so --min-rating 3 is left out" in run("recommend", own, "--history", usual).err
    other = write(tmp_path / "other.csv", rows, "visitor,film,rating")
    assert recommended(other, "--user-column", "visitor", "--item-column", "film") == one


def test_of_standard_input_nothing_is_known_before(
    run: Run, own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path / "h.csv", [("ann", NestedEmbeddings.load(own).items.ids[0], 2)], "who,sku,rating")
    with path.open("rb") as file:
        monkeypatch.setattr("nestrec.data.readers.byte_source._STANDARD_INPUT", file.fileno())
        result = run("recommend", own, "--history", "-", "-k", "1")
    assert len(rows_of(result.out)) == 2
    assert "- may have no ratings, so --min-rating 3 is left out; give it if there are" in result.err


@pytest.mark.parametrize("option", ["--user-column", "--item-column", "--min-rating"])
def test_options_of_a_history_need_one_with_users(run: Run, model: Path, tmp_path: Path, option: str) -> None:
    refused = run("recommend", model, "--user", "u001", option, "1")
    assert (refused.code, refused.err) == (2, f"nestrec: {option} needs --history FILE\n")
    (tmp_path / "one.txt").write_text("a\n")
    refused = run("recommend", model, "--history", tmp_path / "one.txt", option, "1")
    assert refused.code == 2
    assert f"{option} needs interactions" in refused.err


@pytest.mark.parametrize("data", [None, {}, {"reading": 3}, {"reading": {"path": "x"}}, {"reading": {"repeats": 1}}])
def test_a_manifest_may_hold_something_else(data: Any) -> None:
    assert RememberedReading.of({"data": data}).values == {}

"""An update: near a full training, nothing forgotten, removal from vectors and files, errors that leave the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import nestrec
from nestrec import NestedEmbeddings, Update, read_interactions, update
from nestrec.baselines.popularity import Popularity
from nestrec.data.splitting import RandomSplit
from nestrec.errors import DataError, OptionError, TrainingError, UnknownIdError
from nestrec.retrieval.search_config import CoarseIndexOptions, SearchConfig
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from nestrec.updating.changed_file import write_changes
from nestrec.updating.options import UpdateOptions
from nestrec.widths import Widths
from tests.training.worlds import Interfering, Recorder, is_same, quality
from tests.updating.worlds import QUICK, parts, trained, trainer


@pytest.fixture(scope="module")
def updated() -> Update:
    return update(trained(), parts().new, run=QUICK)


def test_it_is_near_a_full_training_and_better_than_before(updated: Update) -> None:
    """The full training has 10 epochs, fewer than would be needed: an update needs half of them here."""
    full = trainer().fit(updated.model.seen, validation=None, run=QUICK)
    after = update(trained(), parts().new, epochs=5, run=QUICK).model
    before, best, reached = (quality(model, parts().held_out) for model in (trained(), full, after))
    for width in (4, 16):
        assert before[width] < 0.95 * best[width] < reached[width]


def test_the_model_knows_old_and_new_interactions(updated: Update) -> None:
    assert updated.model.seen.n_interactions == parts().old.n_interactions + parts().new.n_interactions
    assert updated.record["interactions"]["new"] == parts().new.n_interactions
    again = update(updated.model, parts().new, epochs=0, run=QUICK)
    assert again.record["interactions"] == {
        "new": 0, "known": parts().new.n_interactions, "removed": 0, "not_found": 0,
        "total": updated.model.seen.n_interactions,
    }  # fmt: skip


def test_the_given_model_is_as_it_was(updated: Update) -> None:
    assert is_same(trained(), trainer().fit(parts().old, validation=None, run=QUICK))
    assert "updates" not in trained().manifest


def test_vectors_stay_comparable(updated: Update) -> None:
    for width in updated.drift.widths:
        assert width.user_cosine > 0.7
        assert width.item_cosine > 0.7
        assert 0 < width.top_10_overlap < 1


def test_a_deterministic_update_repeats_itself_and_a_seed_changes_it(updated: Update) -> None:
    assert is_same(updated.model, trained().update(parts().new, run=Run(deterministic=True, threads=1)).model)
    assert not is_same(updated.model, update(trained(), parts().new, run=Run(seed=1, deterministic=True)).model)


def test_the_manifest_has_a_history_and_the_options_of_new_rules(updated: Update) -> None:
    twice = update(updated.model, remove_users=[updated.model.users.ids[0]], epochs=1, learning_rate=0.1, run=QUICK)
    history = twice.model.manifest["updates"]
    assert [entry["epochs"] for entry in history] == [5, 1]
    assert history[1]["learning_rate"] == 0.1
    options = updated.model.manifest["training"]["options"]
    assert options["regularization"] == list(trainer().resolve(updated.model.seen).objective.regularization)
    json.dumps(twice.model.manifest)


def test_an_update_without_anything_new_or_removed_trains_nothing(updated: Update) -> None:
    again = updated.model.update(parts().new, run=QUICK)
    assert again.record["interactions"]["new"] == again.record["epochs"] == again.changes.users.n_to_write == 0
    assert is_same(again.model, updated.model)
    skipped = update(updated.model, remove_users=["nobody"], unknown="skip", epochs=5, run=QUICK)
    assert skipped.record["epochs"] == skipped.changes.items.n_to_write == 0
    assert is_same(skipped.model, updated.model)


def test_without_epochs_most_vectors_keep_their_bits(updated: Update) -> None:
    user, item = updated.model.users.ids[0], updated.model.items.ids[-1]
    new = {"user_id": [user, "a new user"], "item_id": [item, item]}
    changes = updated.model.update(new, epochs=0, run=QUICK).changes
    assert changes.users.added.tolist() == ["a new user"]
    assert 0 < len(changes.users.changed) < changes.users.n_unchanged
    assert 0 < len(changes.items.changed) < changes.items.n_unchanged


def test_a_given_regularization_stays() -> None:
    model = Trainer(widths=4, epochs=2, regularization=0.2).fit(parts().old, validation=None, run=QUICK)
    assert update(model, parts().new, run=QUICK).model.manifest["training"]["options"]["regularization"] == [0.2]


def test_unmoved_vectors_keep_their_bits_and_the_others_are_named(updated: Update) -> None:
    kept = update(trained(), parts().new, changed_tolerance=0.3, run=QUICK)
    users = kept.changes.users
    assert users.n_unchanged > 0
    assert len(users.changed) > 0
    for changes, before, after, ids in (
        (users, trained().user_embeddings, kept.model.user_embeddings, trained().users),
        (kept.changes.items, trained().item_embeddings, kept.model.item_embeddings, trained().items),
    ):
        is_changed = np.isin(ids.ids.tolist(), changes.changed.tolist())
        assert np.array_equal(before[~is_changed], after[~is_changed])
        moved = np.linalg.norm(after - before, axis=1) / np.linalg.norm(before, axis=1)
        assert (moved[is_changed] > 0.3).all()
    assert updated.changes.users.n_unchanged == 0


def test_new_and_removed_ids_are_named() -> None:
    user, item = trained().users.ids[3], trained().items.ids[2]
    new = read_interactions({"user": ["someone", "someone"], "item": ["thing", trained().items.ids[0]]})
    found = update(trained(), new, remove_users=[user], remove_items=item, run=QUICK)
    assert found.changes.users.added.tolist() == ["someone"]
    assert found.changes.items.added.tolist() == ["thing"]
    assert found.changes.users.removed.tolist() == [user]
    assert found.changes.items.removed.tolist() == [item]
    assert found.model.recommend("someone", k=3).ids.shape == (3,)
    with pytest.raises(UnknownIdError):
        found.model.recommend(user)


def test_what_is_removed_is_in_no_file(tmp_path: Path) -> None:
    user, item = trained().users.ids[3], trained().items.ids[2]
    ids = trained().items.ids.tolist()
    trained().with_item_table({"item": ids, "title": [f"title of {name}" for name in ids]}).save(tmp_path / "model")

    def found(name: str) -> bool:
        return any(name.encode() in path.read_bytes() for path in (tmp_path / "model").rglob("*") if path.is_file())

    assert found(user)
    assert found(item)
    loaded = NestedEmbeddings.load(tmp_path / "model")
    update(loaded, remove_users=[user], remove_items=[item], epochs=1, run=QUICK).model.save(
        tmp_path / "model", overwrite=True
    )
    assert not found(user)
    assert not found(item)
    row = trained().user_embeddings[3].tobytes()
    assert row not in (tmp_path / "model" / "embeddings.safetensors").read_bytes()


def test_without_epochs_only_the_first_order_is_corrected() -> None:
    found = update(trained(), parts().new, epochs=0, run=QUICK)
    assert found.record["epochs"] == 0
    assert found.drift.widths[-1].user_cosine > 0.9


def test_a_rotated_model_is_rotated_again() -> None:
    model = trainer(rotate=True, epochs=6).fit(parts().old, run=QUICK)
    manifest = {**model.manifest, "training": {**model.manifest["training"], "rotated": True}}
    from dataclasses import replace

    from nestrec.svd_rotation import rotate_embeddings

    users, items = rotate_embeddings(model.user_embeddings, model.item_embeddings)
    rotated = replace(model, user_embeddings=users, item_embeddings=items, manifest=manifest)
    after = update(rotated, parts().new, run=QUICK)
    rotated_users, _ = rotate_embeddings(after.model.user_embeddings, after.model.item_embeddings)
    for width in (4, 16):  # blocks hold the strongest directions, if not in their order
        assert np.isclose(
            np.linalg.norm(rotated_users[:, :width]), np.linalg.norm(after.model.user_embeddings[:, :width]), rtol=0.01
        )
    assert after.drift.widths[0].user_cosine > 0.7


def test_a_search_config_gets_a_new_index() -> None:
    options = CoarseIndexOptions(4)
    index = options.build(trained().user_embeddings, trained().item_embeddings, 16)
    model = trained().with_search_config(SearchConfig(16, options), index)
    recorder = Recorder()
    after = update(model, parts().new, run=Run(deterministic=True, callbacks=recorder)).model
    assert any("nestrec plan" in message for message in recorder.messages)
    assert after.search_config == model.search_config
    user = after.users.ids[0]
    searched, scanned = (after.recommend(user, k=10, exact=exact).ids.tolist() for exact in (False, True))
    assert searched == scanned == after.with_search_config(None, None).recommend(user, k=10).ids.tolist()


def test_validation_holds_out_new_interactions_and_chooses_the_epoch() -> None:
    recorder = Recorder()
    found = update(trained(), parts().new, validation=0.3, run=Run(deterministic=True, callbacks=recorder))
    assert recorder.phases == ["search", "final"]
    assert found.record["validation"]["epoch"] == found.record["epochs"]
    assert set(found.record["validation"]["metrics"]) == {"4", "16"}
    assert found.model.seen.n_interactions == parts().old.n_interactions + parts().new.n_interactions


def test_an_interruption_leaves_the_model() -> None:
    with pytest.raises(KeyboardInterrupt):
        update(trained(), parts().new, run=Run(callbacks=Interfering(at_slice=1)))
    assert "updates" not in trained().manifest


def rows_of(query: str) -> list[Any]:
    found = duckdb.sql(query)
    assert found is not None
    return list(found.fetchall())


def test_changes_as_files(updated: Update, tmp_path: Path) -> None:
    user = trained().users.ids[3]
    found = update(trained(), parts().new, remove_users=[user], changed_tolerance=0.3, run=QUICK)
    for name in ("c.csv", "c.parquet"):
        write_changes(found.changes, found.model, tmp_path / name)
    rows = rows_of(f"select side, id, change from '{tmp_path / 'c.parquet'}'")
    assert rows == rows_of(f"select side, id, change from '{tmp_path / 'c.csv'}'")
    assert len(rows) == found.changes.users.n_to_write + found.changes.items.n_to_write + 1
    assert ("user", user, "removed") in rows
    vectors: dict[Any, Any] = dict(rows_of(f"select id, vector from '{tmp_path / 'c.parquet'}' where side = 'user'"))
    assert vectors.pop(user) is None
    some = next(iter(vectors))
    assert vectors[some] == found.model.user_embeddings[found.model.users.index_of(some)].tolist()
    with pytest.raises(OptionError, match=r"\.csv, \.parquet"):
        write_changes(found.changes, found.model, tmp_path / "c.txt")


@pytest.mark.parametrize(
    ("model", "named"),
    [
        (NestedEmbeddings.from_arrays([[1.0]], [[1.0], [2.0]], 1), "without training options"),
        (Popularity().fit(parts().old, Widths([1]), Run()), "popularity"),
        (trained().at(4), r"got one cut to 4.*update\(model, …\).model.at\(4\)"),
    ],
)
def test_models_that_cannot_be_trained_further(model: NestedEmbeddings, named: str) -> None:
    with pytest.raises(TrainingError, match=named):
        update(model, parts().new)


def test_mistakes() -> None:
    with pytest.raises(OptionError, match="neither"):
        update(trained())
    with pytest.raises(OptionError, match="epochs must be between 0"):
        update(trained(), parts().new, epochs=-1)
    with pytest.raises(OptionError, match="changed_tolerance"):
        update(trained(), parts().new, changed_tolerance=2)
    with pytest.raises(OptionError, match="validation must be left out"):
        update(trained(), remove_users=[trained().users.ids[0]], validation=RandomSplit(0.1))
    with pytest.raises(OptionError, match="checkpoint"):
        update(trained(), parts().new, run=Run(checkpoint=Path("x")))
    with pytest.raises(UnknownIdError):
        update(trained(), remove_users=["nobody"])
    with pytest.raises(DataError):
        update(trained(), remove_users=trained().users.ids)


def test_mistakes_are_found_before_anything_is_read() -> None:
    missing = "no-such-file.csv"
    with pytest.raises(OptionError, match="validation must be left out with epochs 0"):
        update(trained(), missing, epochs=0, validation=RandomSplit(0.1))
    with pytest.raises(TrainingError):
        update(trained().at(4), missing)


@pytest.mark.parametrize(
    ("epochs", "given", "rate", "trained_for"),
    [(10, None, 1.0, 5), (20, None, 1.0, 6), (10, 5, 1.0, 5), (10, 2, 0.4, 2), (10, 1, 0.2, 1), (10, 0, 0.2, 0)],
)
def test_few_epochs_start_at_a_lower_learning_rate(
    epochs: int, given: int | None, rate: float, trained_for: int
) -> None:
    """Models of few epochs got updates of one or two at the rate of a full training, which made them worse."""
    setup = trainer(epochs=epochs).resolve(parts().old)
    schedule = UpdateOptions(given, None, 0.0, QUICK).shorten(setup).schedule
    assert schedule.epochs == schedule.stop_after == trained_for
    assert schedule.learning_rate == pytest.approx(rate * setup.schedule.learning_rate)
    assert schedule.final_learning_rate == pytest.approx(schedule.learning_rate / 10)
    assert UpdateOptions(given, 0.5, 0.0, QUICK).shorten(setup).schedule.learning_rate == 0.5


def test_six_updates_of_a_model_of_few_epochs_are_near_a_full_training() -> None:
    """At the rate of a full training, in two epochs each, they reached 0.86 of it."""
    model = trainer(epochs=6).fit(parts().old, validation=None, run=QUICK)
    for number in range(6):
        part = RandomSplit(0.5, seed=number).split(parts().new)[1]
        model = update(model, part, run=QUICK).model
    full = trainer(epochs=6).fit(model.seen, validation=None, run=QUICK)
    best, reached = (quality(one, parts().held_out) for one in (full, model))
    assert all(reached[width] > 0.98 * best[width] for width in (4, 16))


def test_it_is_public() -> None:
    assert nestrec.update is update


def test_without_training_a_removed_interaction_changes_the_neighbours_of_its_user_and_item_alone() -> None:
    """docs/how-to/update.md says which vectors change."""
    seen = trained().seen
    item = int(seen.indices[0])
    pair = read_interactions({"user": seen.users.ids[:1].tolist(), "item": seen.items.ids[[item]].tolist()})
    changes = update(trained(), remove_interactions=pair, epochs=0, run=QUICK).changes
    with_item = np.repeat(np.arange(seen.n_users), np.diff(seen.indptr))[seen.indices == item]
    assert set(changes.users.changed.tolist()) == set(seen.users.ids[with_item].tolist())
    assert set(changes.items.changed.tolist()) == set(seen.items.ids[seen.indices[: seen.indptr[1]]].tolist())

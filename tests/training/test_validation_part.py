"""Only users and items with training interactions choose the epoch; what is left out is counted and reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nestrec.data.cold_ids import drop_cold
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import LeaveLastOut, RandomSplit, TimeSplit, split_by_mask
from nestrec.errors import DataError, UnknownIdError
from nestrec.training.options import Run
from nestrec.training.trainer import Trainer
from nestrec.training.validation_part import carve
from tests.training.worlds import Interfering, Recorder, from_sets, is_same, quick, tiny

EXACT = Run(deterministic=True)


def dated(sets: list[list[int]], n_items: int, times: list[float]) -> Interactions:
    return replace(from_sets(sets, n_items), timestamps=np.array(times))


def growing(n_warm: int = 80, n_cold: int = 60) -> Interactions:
    """Users of `tiny` first; then, after all of their interactions but the last, users who come new."""
    base = tiny()
    sets = [base.indices[base.indptr[u] : base.indptr[u + 1]].tolist() for u in range(n_warm)]
    sets += [base.indices[base.indptr[u] : base.indptr[u + 1]].tolist() for u in range(n_cold)]
    times = []
    for user, items in enumerate(sets):
        start = 0.0 if user < n_warm else 1000.0
        times += [start + place for place in range(len(items) - 1)] + [1000.0]
    return dated(sets, base.n_items, times)


def test_known_counts() -> None:
    """Training: users 0, 1 with items 0, 1. Held out: one warm pair, one cold item, two pairs of a cold user."""
    data = dated([[0, 1, 2], [0, 1], [0, 1]], 3, [1, 8, 9, 1, 2, 8, 9])
    train, held_out, coverage = carve(TimeSplit(at=5), data)
    assert (train.n_users, train.n_items, train.n_interactions) == (2, 2, 3)
    assert train.items.ids_at(held_out.indices).tolist() == [1]
    assert coverage.as_dict() == {
        "users": 1, "interactions": 1, "users_left_out": 1, "cold_user_interactions": 2, "cold_item_interactions": 1,
        "training_interactions": 0,
    }  # fmt: skip


def test_given_interactions_that_are_training_interactions_cannot_choose() -> None:
    """They are never ranked, so they would be misses at every epoch."""
    train, given = from_sets([[0, 1], [2]], 3), from_sets([[1, 2], [2]], 3)
    part = carve(given, train)
    assert (part.held_out.indptr.tolist(), part.held_out.indices.tolist()) == ([0, 1, 1], [2])
    assert part.coverage.training_interactions == 2
    with pytest.raises(DataError, match="3 that are training interactions too"):
        carve(train, train)


def test_cold_users_do_not_drown_the_others() -> None:
    """A split by time held out mostly new users, whose ranks are noise: early epochs looked as good as late ones."""
    recorder = Recorder()
    data = growing()
    split = TimeSplit(at=900.0)
    trained = quick().fit(data, validation=split, run=Run(deterministic=True, callbacks=recorder))
    told = trained.manifest["training"]["validation"]
    train, held_out = split.split(data)
    warm = sum(held_out.indices[held_out.indptr[user]] in train.indices for user in range(80))
    assert (told["users"], told["users_left_out"]) == (warm, 140 - warm)
    assert told["cold_user_interactions"] == held_out.indptr[140] - held_out.indptr[80]
    assert len(recorder.messages) == 1
    assert f"{warm} of 140 users" in recorder.messages[0]
    assert f"{told['cold_user_interactions']:,} of users without training interactions" in recorder.messages[0]


def test_what_cold_users_hold_changes_nothing() -> None:
    """The search is the same as where they are not there at all."""
    data, warm_only = growing(80, 60), growing(80, 0)
    one, other = (quick().fit(d, validation=TimeSplit(at=900.0), refit=False, run=EXACT) for d in (data, warm_only))
    assert is_same(one, other)
    assert one.users.ids.tolist() == list(range(80))
    assert one.manifest["training"]["history"] == other.manifest["training"]["history"]


@pytest.mark.parametrize(
    ("split", "remedy"),
    [
        (TimeSplit(at=900.0), "leave-last-out"),
        (LeaveLastOut(), "RandomSplit"),
        (RandomSplit(0.1), "a larger fraction"),
    ],
)
def test_few_users_are_a_warning_that_names_the_better_split(
    split: TimeSplit | LeaveLastOut | RandomSplit, remedy: str
) -> None:
    recorder = Recorder()
    quick().fit(growing(20, 30 if isinstance(split, TimeSplit) else 0), validation=split, run=Run(callbacks=recorder))
    assert [remedy in note for note in recorder.messages if note.startswith("warning")] == [True]


def test_no_user_left_is_an_error_with_the_reasons() -> None:
    data = dated([[0, 1], [0, 2], [0, 1, 2]], 3, [1, 2, 1, 2, 8, 9, 10])
    with pytest.raises(DataError, match=r"3 of users without training interactions.*leave-last-out"):
        quick().fit(data, validation=TimeSplit(at=5))


def test_a_model_knows_only_what_was_trained() -> None:
    """After a split in Python, items without a training row had vectors: they were similar to anything."""
    train, held_out = RandomSplit(0.5, seed=3).split(from_sets([[0, 1, 2], [0, 3, 4], [0, 1, 5], [1, 6]], 8))
    trained = quick().fit(train, validation=None, run=EXACT)
    cold = np.setdiff1d(np.arange(8), train.indices)
    assert len(cold) > 1
    assert trained.items.ids.tolist() == np.unique(train.indices).tolist()
    assert (trained.seen.n_users, trained.seen.n_items) == (trained.n_users, trained.n_items)
    assert trained.seen.fingerprint() == drop_cold(train).fingerprint()
    for item in cold.tolist():
        with pytest.raises(UnknownIdError):
            trained.similar_items(item)
    assert held_out.n_items == 8
    assert is_same(trained, quick().fit(drop_cold(train), validation=None, run=EXACT))


def cold_in_search() -> tuple[Interactions, RandomSplit]:
    """Return data in which a random tenth takes the only interaction of some items, and that split."""
    base = tiny()
    sets = [base.indices[base.indptr[u] : base.indptr[u + 1]].tolist() for u in range(base.n_users)]
    for user in range(0, base.n_users, 2):
        sets[user].append(base.n_items + user)  # an item of one user
    data, split = from_sets(sets, base.n_items + base.n_users), RandomSplit(0.3, seed=1)
    data = drop_cold(data)
    assert drop_cold(split.split(data)[0]).n_items < data.n_items
    return data, split


def test_the_search_trains_only_what_its_part_holds_and_the_final_phase_everything() -> None:
    data, split = cold_in_search()
    part = drop_cold(split.split(data)[0])
    searched = quick().fit(data, validation=split, refit=False, run=EXACT)
    assert searched.items == part.items
    assert searched.seen.n_items == part.n_items
    assert searched.manifest["data"]["n_items"] == part.n_items
    refitted = quick().fit(data, validation=split, run=EXACT)
    assert refitted.items == data.items
    epochs = refitted.manifest["training"]["epochs"]
    schedule = quick().fit(data, validation=None, run=EXACT)
    assert epochs == 6
    assert is_same(refitted, schedule)


@pytest.mark.parametrize("phase", ["search", "final"])
def test_interrupted_and_resumed(phase: str, tmp_path: Path) -> None:
    """What an interruption leaves is of the search's ids; the resumed run ends as one that was left alone."""
    data, split = cold_in_search()
    trainer = Trainer(widths=(3, 8), epochs=4, evaluate_every=1)
    whole = trainer.fit(data, validation=split, run=EXACT)
    run = replace(EXACT, checkpoint=tmp_path / "state", checkpoint_seconds=0.0)
    stopper = Interfering(after_epoch=(phase, 2))  # type: ignore[arg-type]
    try:
        left: object = trainer.fit(data, validation=split, run=replace(run, callbacks=stopper))
    except KeyboardInterrupt:
        left = None
    if left is not None:
        assert left.items == drop_cold(split.split(data)[0]).items  # type: ignore[attr-defined]
    assert is_same(trainer.fit(data, validation=split, run=replace(run, resume=True)), whole)


def test_divided_parts_keep_all_ids_until_something_is_learned() -> None:
    data = from_sets([[0, 1], [2]], 3)
    train, _ = split_by_mask(data, np.array([False, True, True]))
    assert (train.n_users, train.n_items) == (2, 3)
    assert (drop_cold(train).n_users, drop_cold(train).n_items) == (1, 1)

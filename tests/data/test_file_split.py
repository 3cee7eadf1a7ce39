"""Which row of a file goes to which part: no pair in two parts, every row in one part or counted."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.file_split import (
    LATER_REPEAT,
    LEFT_OUT,
    PARTS,
    TEST,
    TRAIN,
    VALIDATION,
    Assignment,
    FileSplit,
    assign_parts,
)
from nestrec.data.part_files import write_parts
from nestrec.data.read_options import ReadOptions
from nestrec.errors import DataError, OptionError

Row = tuple[int, int, int]  # user, item, time

SPLITS = [
    FileSplit("random", seed=3),
    FileSplit("random", validation_fraction=0, test_fraction=0.5),
    FileSplit("time"),
    FileSplit("time", at=5.0),
    FileSplit("leave-last-out"),
    FileSplit("leave-last-out", validation_fraction=0),
]


def parts_of(rows: list[Row], split: FileSplit, **options: float) -> tuple[Assignment, dict[str, list[Row]]]:
    """Write rows to a file with a column that nestrec does not use, divide it and read the parts back."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        path.write_text(
            "user_id,item_id,note,timestamp\n" + "".join(f"u{u},{i},n{u}-{i}-{t},{t}\n" for u, i, t in rows)
        )
        read = ReadOptions(**options)  # type: ignore[arg-type]
        found = assign_parts(str(path), split, read)
        places = {code: Path(folder) / name for code, name in enumerate(PARTS) if code != 1 or split.splits()[1]}
        write_parts(str(path), found, read, places, None, overwrite=False)
        parts = {}
        for code, place in places.items():
            header, *lines = place.read_text().splitlines()
            assert header == "user_id,item_id,note,timestamp"
            fields = [line.split(",") for line in lines]
            assert all(note == f"n{u[1:]}-{i}-{t}" for u, i, note, t in fields)
            parts[PARTS[code]] = [(int(u[1:]), int(i), int(t)) for u, i, _, t in fields]
        return found, parts


def pairs(rows: list[Row]) -> set[tuple[int, int]]:
    return {(user, item) for user, item, _ in rows}


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7), st.integers(0, 9)), min_size=1, max_size=40),
    st.sampled_from(SPLITS),
)
def test_no_pair_is_in_two_parts_and_every_row_is_in_one_or_counted(rows: list[Row], split: FileSplit) -> None:
    try:
        found, parts = parts_of(rows, split)
    except DataError:
        return  # nothing can be held out
    together = [row for part in parts.values() for row in part]
    assert len(together) + found.n_rows(LATER_REPEAT) + found.n_rows(LEFT_OUT) == len(rows)
    assert sorted(together) == sorted(rows) or found.n_rows(LATER_REPEAT)
    names = list(parts)
    for place, name in enumerate(names):
        for other in names[place + 1 :]:
            assert not pairs(parts[name]) & pairs(parts[other])
    assert set(together) <= set(rows)
    assert pairs(together) == pairs(rows)
    if split.by == "time":
        ordered = [[time for _, _, time in parts[name]] for name in names if parts[name]]
        assert all(max(earlier) < min(later) for earlier, later in pairwise(ordered))


def test_a_repeat_after_the_cut_is_in_no_part_and_counted() -> None:
    """In training as well as in test, the pair would be a miss that no model can hit."""
    rows = [(1, 1, 1), (1, 2, 2), (2, 1, 3), (1, 1, 8), (1, 3, 9), (1, 3, 9)]
    found, parts = parts_of(rows, FileSplit("time", at=5.0, validation_fraction=0))
    assert parts["train"] == [(1, 1, 1), (1, 2, 2), (2, 1, 3)]
    assert parts["test"] == [(1, 3, 9), (1, 3, 9)]
    assert found.n_rows(LATER_REPEAT) == 1


def test_repeats_go_together_at_random_and_in_leave_last_out() -> None:
    rows = [(user, item, time) for user in range(20) for item in range(5) for time in (item, item + 10)]
    for split in (FileSplit(seed=2), FileSplit("leave-last-out")):
        found, parts = parts_of(rows, split)
        assert found.n_rows(LATER_REPEAT) == found.n_rows(LEFT_OUT) == 0
        assert all(len(part) == 2 * len(pairs(part)) for part in parts.values())


def test_leave_last_out_takes_the_last_for_testing_and_the_one_before_for_validation() -> None:
    _, parts = parts_of([(1, 5, 1), (1, 3, 2), (1, 4, 3), (2, 5, 1)], FileSplit("leave-last-out"))
    assert (parts["test"], parts["validation"]) == ([(1, 4, 3)], [(1, 3, 2)])
    assert parts["train"] == [(1, 5, 1), (2, 5, 1)]


def test_shares_are_of_all_interactions() -> None:
    rows = [(user, item, 100 * user + item) for user in range(50) for item in range(20)]
    for by in ("random", "time"):
        found, _ = parts_of(rows, FileSplit(by, test_fraction=0.3, validation_fraction=0.14))
        assert [found.n_rows(code) for code in (TRAIN, VALIDATION, TEST)] == [560, 140, 300]


def test_rows_outside_of_the_core_are_left_out_and_counted() -> None:
    rows = [(user, item, 1) for user in range(4) for item in range(4)] + [(9, 0, 1), (0, 9, 1)]
    found, parts = parts_of(rows, FileSplit(), min_user_interactions=2, min_item_interactions=2)
    assert found.n_rows(LEFT_OUT) == 2
    assert sorted(row for part in parts.values() for row in part) == rows[:-2]


def test_the_same_seed_gives_the_same_parts() -> None:
    rows = [(user, item, 0) for user in range(9) for item in range(9)]
    one, same, other = (parts_of(rows, FileSplit(seed=seed))[1] for seed in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"test_fraction": 0}, "test_fraction must be between 0 and 1, got 0"),
        ({"test_fraction": 0.8, "validation_fraction": 0.2}, "leave nothing to train on"),
        ({"at": 5.0}, "is for a split by time"),
        ({"by": "time", "at": 5.0, "test_fraction": 0.2}, "in place of test_fraction"),
        ({"by": "leave-last-out", "test_fraction": 0.2}, "neither test_fraction"),
        ({"by": "leave-last-out", "validation_fraction": 0.2}, "neither test_fraction"),
        ({"seed": -1}, "seed"),
    ],
)
def test_what_does_not_fit_is_refused(values: dict[str, object], told: str) -> None:
    with pytest.raises(OptionError, match=told):
        FileSplit(**values)  # type: ignore[arg-type]


def test_ids_of_one_number_in_several_writings_are_one_pair() -> None:
    """`7` and `7.0` are the same item: their rows must not be parted."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        lines = [f"{user},{item}{end}" for user in range(12) for item in range(6) for end in ("", ".0")]
        path.write_text("user_id,item_id\n" + "\n".join(lines) + "\n")
        found = assign_parts(str(path), FileSplit(seed=1), ReadOptions())
        assert np.array_equal(found.row_codes[::2], found.row_codes[1::2])


def test_a_rule_for_repeats_is_refused_since_rows_are_divided_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("user,item,rating\n1,1,5\n1,1,1\n2,1,5\n")
    with pytest.raises(OptionError, match="repeats 'last' joins several rows"):
        assign_parts(str(tmp_path / "x.csv"), FileSplit(), ReadOptions(min_rating=3, repeats="last"))

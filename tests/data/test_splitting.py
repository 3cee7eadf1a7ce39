"""Splits: exact shares, nobody emptied, time respected, the same for the same seed and no other reason."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nestrec.data.interactions import Interactions
from nestrec.data.splitting import LeaveLastOut, RandomSplit, Split, TimeSplit, split_by_mask
from nestrec.errors import DataError, OptionError
from tests.data.row_tables import Row, from_rows, many, row_lists, rows_of, shuffled_rows

SPLITS: list[Split] = [RandomSplit(0.2, seed=5), TimeSplit(0.2), TimeSplit(at=300), LeaveLastOut(), LeaveLastOut(n=3)]


def sizes(interactions: Interactions) -> npt.NDArray[np.int64]:
    return np.diff(interactions.indptr)


@pytest.mark.parametrize("split", SPLITS, ids=repr)
def test_the_parts_hold_every_interaction_once_and_share_the_vocabularies(split: Split) -> None:
    interactions = many(1)
    train, held_out = split.split(interactions)
    assert sorted(rows_of(train) + rows_of(held_out)) == rows_of(interactions)
    assert train.users is held_out.users is interactions.users
    assert train.items is held_out.items is interactions.items
    assert train.n_interactions > 0 < held_out.n_interactions


@pytest.mark.parametrize("split", SPLITS, ids=repr)
def test_the_order_of_rows_does_not_matter(split: Split) -> None:
    interactions = many(2)
    again = from_rows(shuffled_rows(interactions, np.random.default_rng(0)))
    assert [rows_of(part) for part in split.split(again)] == [rows_of(part) for part in split.split(interactions)]


@settings(deadline=None)  # the first example compiles the kernel
@given(row_lists(), st.floats(0.01, 0.99), st.integers(0, 2**63 - 1))
def test_random_split_takes_the_exact_share_and_empties_nobody(rows: list[Row], fraction: float, seed: int) -> None:
    interactions = from_rows(rows)
    n_divisible = int(sizes(interactions)[sizes(interactions) > 1].sum())
    if n_divisible == 0:
        with pytest.raises(DataError, match="no user has two"):
            RandomSplit(fraction, seed).split(interactions)
        return
    train, held_out = RandomSplit(fraction, seed).split(interactions)
    most = interactions.n_interactions - interactions.n_users
    assert held_out.n_interactions == min(max(round(fraction * n_divisible), 1), most)
    assert sizes(train).min() >= 1


def test_random_split_draws_every_interaction_equally_often() -> None:
    """Over 400 seeds each of 4,000 interactions is held out 100 times on average, and no more unevenly than chance."""
    rows: list[Row] = [(user, item, 0.0) for user in range(40) for item in range(100)]
    interactions = from_rows(rows)
    counts = np.zeros(4000)
    for seed in range(400):
        held_out = RandomSplit(0.25, seed).split(interactions)[1]
        users = np.repeat(np.arange(40), sizes(held_out))
        counts[users * 100 + held_out.indices] += 1
    assert counts.mean() == 100
    assert counts.std() == pytest.approx(math.sqrt(400 * 0.25 * 0.75), rel=0.1)
    assert abs(counts - 100).max() < 6 * math.sqrt(400 * 0.25 * 0.75)


def test_random_split_is_that_of_its_plain_version() -> None:
    """The plain version sorts all positions by hash and takes them in order, skipping a user's last one."""
    interactions = many(6)
    fraction, seed = 0.93, 11  # so large that many users come down to their last interaction
    owners = np.repeat(np.arange(interactions.n_users), sizes(interactions))
    left = sizes(interactions).copy()
    n_wanted = round(fraction * int(left[left > 1].sum()))
    taken: list[int] = []
    for position in sorted(range(interactions.n_interactions), key=lambda place: plain_hash(seed, place)):
        if left[owners[position]] > 1 and len(taken) < n_wanted:
            left[owners[position]] -= 1
            taken.append(position)
    held_out = RandomSplit(fraction, seed).split(interactions)[1]
    marks = np.zeros(interactions.n_interactions, dtype=np.bool_)
    marks[taken] = True
    assert rows_of(held_out) == rows_of(split_by_mask(interactions, marks)[1])


def plain_hash(seed: int, position: int) -> int:
    """splitmix64 with the mixed seed as its start, in Python's own integers."""
    return mixed(mixed(seed) + (position + 1) * 0x9E3779B97F4A7C15)


def mixed(number: int) -> int:
    x = number % 2**64
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB % 2**64
    return x ^ (x >> 31)


def test_random_split_changes_with_the_seed_and_only_with_it() -> None:
    interactions = many(7)
    one, same, other = (RandomSplit(0.3, seed).split(interactions)[1].fingerprint() for seed in (1, 1, 2))
    assert one == same != other


@settings(deadline=None)  # the first example compiles the kernel
@given(row_lists(), st.floats(0.01, 0.99))
def test_time_split_parts_past_from_future_nearest_to_the_share(rows: list[Row], fraction: float) -> None:
    interactions = from_rows(rows)
    times = sorted(time for _, _, time in rows_of(interactions))
    cuts = sorted(set(times))[1:]
    if not cuts:
        with pytest.raises(DataError, match=r"all .* have the same time"):
            TimeSplit(fraction).split(interactions)
        return
    train, held_out = TimeSplit(fraction).split(interactions)
    assert train.timestamps is not None
    assert held_out.timestamps is not None
    assert train.timestamps.max() < held_out.timestamps.min()
    errors = {sum(time >= cut for time in times): 0.0 for cut in cuts}
    errors = {count: abs(count - fraction * len(times)) for count in errors}
    assert held_out.n_interactions == min(errors, key=lambda count: (errors[count], count))


def test_time_split_at_a_moment_holds_out_that_moment_too() -> None:
    interactions = from_rows([(1, 1, 10.0), (1, 2, 20.0), (2, 1, 20.5), (3, 1, 19.5)])
    train, held_out = TimeSplit(at=20).split(interactions)
    assert rows_of(held_out) == [(1, 2, 20.0), (2, 1, 20.5)]
    assert train.n_users == 3  # user 2 has nothing in training and keeps its row


def test_the_cut_of_a_share_gives_the_same_split_as_a_moment() -> None:
    interactions = many(8)
    cut = TimeSplit(0.1).cut(interactions)
    assert rows_of(TimeSplit(at=cut).split(interactions)[1]) == rows_of(TimeSplit(0.1).split(interactions)[1])


@settings(deadline=None)  # the first example compiles the kernel
@given(row_lists(), st.integers(1, 3))
def test_leave_last_out_takes_each_users_last_by_time_then_item(rows: list[Row], n: int) -> None:
    interactions = from_rows(rows)
    expected: list[Row] = []
    for user in interactions.users.ids.tolist():
        own = sorted((row for row in rows_of(interactions) if row[0] == user), key=lambda row: (row[2], row[1]))
        expected += own[-n:] if len(own) > n else []
    if not expected:
        with pytest.raises(DataError, match=f"no user has more than {n}"):
            LeaveLastOut(n).split(interactions)
        return
    assert rows_of(LeaveLastOut(n).split(interactions)[1]) == sorted(expected)


@pytest.mark.parametrize("split", [TimeSplit(0.2), TimeSplit(at=3), LeaveLastOut()], ids=repr)
def test_missing_times_are_reported_with_the_option_that_keeps_them(split: Split) -> None:
    with pytest.raises(DataError, match=r"keep_timestamps=True"):
        split.split(from_rows([(1, 1, 0.0), (1, 2, 1.0)], with_times=False))


def test_times_without_order_are_refused() -> None:
    with pytest.raises(DataError, match="not finite"):
        LeaveLastOut().split(from_rows([(1, 1, 0.0), (1, 2, math.nan)]))


def test_no_interactions_at_all_are_refused() -> None:
    empty = from_rows([])
    for split in SPLITS:
        with pytest.raises(DataError):
            split.split(empty)


@pytest.mark.parametrize(("at", "which"), [(99.0, "no interaction is"), (0.0, "all interactions are")])
def test_a_moment_outside_the_data_says_from_when_to_when_it_runs(at: float, which: str) -> None:
    with pytest.raises(DataError, match=f"{which} at time {at} or later; the times run from 5 to 7"):
        TimeSplit(at=at).split(from_rows([(1, 1, 5.0), (2, 1, 7.0)]))


@pytest.mark.parametrize("fraction", [0, 1, -0.1, math.nan, math.inf])
def test_shares_outside_0_to_1_are_refused(fraction: float) -> None:
    for split in (RandomSplit, TimeSplit):
        with pytest.raises(OptionError, match="must be between 0 and 1"):
            split(fraction)


def test_other_options_are_checked_when_given() -> None:
    with pytest.raises(OptionError, match=r"seed must be from 0 .* got -1"):
        RandomSplit(0.1, seed=-1)
    with pytest.raises(OptionError, match="n must be at least 1, got 0"):
        LeaveLastOut(0)
    with pytest.raises(OptionError, match="either fraction or at"):
        TimeSplit()
    with pytest.raises(OptionError, match="either fraction or at"):
        TimeSplit(0.1, at=5)
    with pytest.raises(OptionError, match=r"at must be a finite time .* got nan"):
        TimeSplit(at=math.nan)


def test_parts_without_times_have_none() -> None:
    train, held_out = RandomSplit(0.5).split(from_rows([(1, 1, 0.0), (1, 2, 1.0)], with_times=False))
    assert train.timestamps is None
    assert held_out.timestamps is None

"""The log of fits: what is there is not done again, what is damaged or of other data is not taken."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nestrec.artefact.tensors import write_arrays
from nestrec.comparison.job import Job, Outcome, WidthMetrics
from nestrec.comparison.run_log import NAME, RunLog
from nestrec.errors import DataError, OptionError

DATA = {"training": "a" * 64, "test": "b" * 64}
JOB = Job("ease", {"regularization": 0.1 + 0.2, "kind": None}, (4, 8), "validation", 0, 1, (20,), ("ndcg",))
DONE = Outcome(1.5, 2**20, (WidthMetrics(1, {"ndcg@20": 0.25}, {"novelty@20": float("nan")}),))


def test_outcomes_are_found_after_reopening(tmp_path: Path) -> None:
    with RunLog(tmp_path, DATA) as log:
        assert log.outcome(JOB) is None
        log.add(JOB, DONE)
    with RunLog(tmp_path, DATA) as log:
        assert str(log.outcome(JOB)) == str(DONE)  # NaN is no equal of itself
    lines = (tmp_path / NAME).read_text().splitlines()
    assert len(lines) == 2
    assert json.loads(lines[1])["job"]["model"] == "ease"


@pytest.mark.parametrize(
    "other",
    [
        replace(JOB, options={"regularization": 0.3, "kind": None}),
        replace(JOB, seed=1),
        replace(JOB, widths=(4,)),
        replace(JOB, part="test"),
        replace(JOB, cutoffs=(10,)),
        replace(JOB, threads=2),
    ],
)
def test_another_job_is_another(tmp_path: Path, other: Job) -> None:
    with RunLog(tmp_path, DATA) as log:
        log.add(JOB, DONE)
        assert log.outcome(other) is None


def test_a_last_line_that_was_cut_off_is_dropped(tmp_path: Path) -> None:
    with RunLog(tmp_path, DATA) as log:
        log.add(JOB, DONE)
    whole = (tmp_path / NAME).read_bytes()
    (tmp_path / NAME).write_bytes(whole + whole.splitlines()[1][:40])
    with RunLog(tmp_path, DATA) as log:
        assert log.outcome(JOB) is not None
        log.add(replace(JOB, seed=1), DONE)
    with RunLog(tmp_path, DATA) as log:
        assert log.outcome(replace(JOB, seed=1)) is not None


def test_a_damaged_line_is_reported_with_its_number(tmp_path: Path) -> None:
    with RunLog(tmp_path, DATA) as log:
        log.add(JOB, DONE)
    with (tmp_path / NAME).open("a") as file:
        file.write("{broken\n")
    with pytest.raises(DataError, match=r"runs.jsonl is damaged in line 3 .*; remove that line, or name another"):
        RunLog(tmp_path, DATA)


def test_runs_on_other_data_are_refused(tmp_path: Path) -> None:
    with RunLog(tmp_path, DATA):
        pass
    with pytest.raises(DataError, match="same data, but its test part is bbbbbbbbbbbb, got c"):
        RunLog(tmp_path, {**DATA, "test": "c" * 64})


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / NAME).write_text('{"format": "other", "version": 1, "data": {}}\n')
    with pytest.raises(DataError, match="must be a log of runs of version 1, got"):
        RunLog(tmp_path, DATA)


def test_a_failure_is_kept_and_tried_again_by_the_next_run(tmp_path: Path) -> None:
    with RunLog(tmp_path, DATA) as log:
        log.add(JOB, Outcome.failure("no memory"))
        assert log.outcome(JOB) == Outcome.failure("no memory")
    with RunLog(tmp_path, DATA) as log:
        assert log.outcome(JOB) is None
    assert "no memory" in (tmp_path / NAME).read_text()


def test_a_fit_on_the_test_part_whose_users_are_gone_is_done_again(tmp_path: Path) -> None:
    job = replace(JOB, part="test")
    with RunLog(tmp_path, DATA) as log:
        write_arrays(log.per_user_path(job), {"1 ndcg@20": np.array([0.5, 0.0], dtype=np.float32)})
        log.add(job, DONE)
        assert log.outcome(job) is not None
        assert log.per_user(job)["1 ndcg@20"].tolist() == [0.5, 0.0]
        log.per_user_path(job).unlink()
        assert log.outcome(job) is None


def test_two_runs_do_not_write_to_one_folder(tmp_path: Path) -> None:
    with RunLog(tmp_path, DATA), pytest.raises(OptionError, match="another run is writing to"):
        RunLog(tmp_path, DATA)


def test_a_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OptionError, match="cannot be used"):
        RunLog(tmp_path / "file", DATA)


@pytest.mark.parametrize(
    "line", ["[]", "null", "3", '{"key": "k"}', '{"key": 1, "job": {}, "outcome": {}}', "[" * 9999]
)
def test_lines_of_another_shape_are_reported_with_their_number(tmp_path: Path, line: str) -> None:
    """Such lines raised TypeError or RecursionError."""
    for lines, number in (([line], 1), (['{"format": "nestrec-runs", "version": 1, "data": {}}', line], 2)):
        (tmp_path / NAME).write_text("\n".join(lines) + "\n")
        with pytest.raises(DataError, match=f"runs.jsonl is damaged in line {number} "):
            RunLog(tmp_path, {})

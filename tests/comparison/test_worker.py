"""Fits in worker processes: the same metrics as in this process, and crashes reported in a sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from nestrec.artefact.tensors import map_arrays
from nestrec.baselines import baseline
from nestrec.comparison.job import Job
from nestrec.comparison.stored_interactions import read_stored_interactions, write_interactions
from nestrec.comparison.worker import Worker
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.evaluation import evaluate
from nestrec.training.options import Run
from nestrec.widths import Widths

JOB = Job("popularity", {}, (2, 4), "test", 0, 1, (5, 20), ("recall", "ndcg"))


@pytest.fixture(scope="module")
def parts() -> tuple[Interactions, Interactions]:
    return RandomSplit(0.2).split(
        SyntheticData(n_users=60, n_items=40, interactions_per_user=8).generate(seed=0).interactions
    )


@pytest.fixture(scope="module")
def places(parts: tuple[Interactions, Interactions], tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("parts")
    for name, part in zip(("train", "test"), parts, strict=True):
        write_interactions(folder / name, part)
    return folder / "train", folder / "test"


def test_interactions_come_back_as_they_were(
    parts: tuple[Interactions, Interactions], places: tuple[Path, Path]
) -> None:
    assert [read_stored_interactions(place).fingerprint() for place in places] == [part.fingerprint() for part in parts]


def test_the_figures_are_those_of_a_fit_in_this_process(
    parts: tuple[Interactions, Interactions], places: tuple[Path, Path], tmp_path: Path
) -> None:
    train, test = parts
    model = baseline("popularity").fit(train, Widths(JOB.widths), Run())
    here = evaluate(model, test, JOB.cutoffs, bootstrap_samples=0).widths[0]
    with Worker(threads=1) as worker:
        found = worker.fit(JOB, *places, tmp_path / "users.safetensors")
        again = worker.fit(JOB, *places)
    assert found.error is None
    assert found.figures == again.figures
    assert found.figures[0].metrics == here.means
    assert found.figures[0].beyond_accuracy == here.beyond_accuracy
    assert found.seconds > 0
    assert found.peak_memory_bytes > 0
    with (tmp_path / "users.safetensors").open("rb") as file:
        users = map_arrays(tmp_path / "users.safetensors", file)
        assert sorted(users) == ["1 ndcg@20", "1 ndcg@5", "1 recall@20", "1 recall@5"]
        assert np.array_equal(users["1 ndcg@5"], here.of_users("ndcg@5"))


def test_a_mistake_of_the_library_is_an_error_in_its_words(places: tuple[Path, Path]) -> None:
    job = Job("popularity", {"depth": 3}, (2,), "test", 0, 1, (5,), ("ndcg",))
    with Worker(threads=1) as worker:
        found = worker.fit(job, *places)
        assert worker.is_alive
    assert found.error == "options of popularity do not exist; got 'depth'"
    assert found.figures == ()


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("import os; os.kill(os.getpid(), 9)", "its process was killed by SIGKILL, probably because memory ran out"),
        ("import os; os.kill(os.getpid(), 11)", "its process was killed by SIGSEGV"),
        ("raise SystemExit('no such library')", r"its process ended with exit code 1 (no such library)"),
    ],
)
def test_a_killed_process_is_reported(places: tuple[Path, Path], code: str, sentence: str) -> None:
    with Worker(threads=1, command=(sys.executable, "-c", code)) as worker:
        found = worker.fit(JOB, *places)
        assert not worker.is_alive
    assert found.error is not None
    assert found.error.startswith(sentence)


def test_output_of_libraries_is_ignored(places: tuple[Path, Path]) -> None:
    noisy = (
        "import os; from nestrec.comparison import worker_main as child; out = child._redirect_stdout();"
        "os.write(1, b'noise\\n');"
        "print('more noise', flush=True); child._redirect_stdout = lambda: out; child.main()"
    )
    with Worker(threads=1, command=(sys.executable, "-c", noisy)) as worker:
        assert worker.fit(JOB, *places).error is None

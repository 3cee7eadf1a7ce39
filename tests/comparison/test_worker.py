"""Fits in worker processes: the same metrics as in this process, and crashes reported in a sentence."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from nestrec.artefact.tensors import map_arrays
from nestrec.baselines import baseline
from nestrec.comparison.job import Job, Task
from nestrec.comparison.stored_interactions import read_stored_interactions, write_interactions
from nestrec.comparison.worker import Worker
from nestrec.data.dislikes import with_dislikes
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


def test_weights_and_dislikes_come_back(parts: tuple[Interactions, Interactions], tmp_path: Path) -> None:
    train, test = parts
    weights = np.arange(1, train.n_interactions + 1, dtype=np.float32)
    signals = with_dislikes(replace(train, weights=weights, check=False), test)
    write_interactions(tmp_path / "train", signals)
    assert signals.dislikes is not None
    assert read_stored_interactions(tmp_path / "train").fingerprint() == signals.fingerprint()


def test_the_figures_are_those_of_a_fit_in_this_process(
    parts: tuple[Interactions, Interactions], places: tuple[Path, Path], tmp_path: Path
) -> None:
    train, test = parts
    model = baseline("popularity").fit(train, Widths(JOB.widths), Run())
    here = evaluate(model, test, JOB.cutoffs, bootstrap_samples=0).widths[0]
    with Worker(threads=1) as worker:
        (found,) = worker.fit([Task(JOB, str(tmp_path / "users.safetensors"))], *places)
        (again,) = worker.fit([Task(JOB)], *places)
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
        (found,) = worker.fit([Task(job)], *places)
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
        (found,) = worker.fit([Task(JOB)], *places)
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
        assert worker.fit([Task(JOB)], *places)[0].error is None


def test_derived_models_are_those_of_the_same_fit(
    parts: tuple[Interactions, Interactions], places: tuple[Path, Path], tmp_path: Path
) -> None:
    """At the widest width all have its scores; the rotated one keeps more of them below."""
    names = {"nestrec-alone": (8,), "nestrec-alone-cut": (2, 8), "nestrec-alone-rotated": (2, 8)}
    tasks = [
        Task(Job(name, {"epochs": 3}, widths, "test", 0, 1, (5,), ("ndcg",)), str(tmp_path / name))
        for name, widths in names.items()
    ]
    with Worker(threads=1) as worker:
        alone, cut, rotated = worker.fit(tasks, *places)
    assert [at.width for at in cut.figures] == [at.width for at in rotated.figures] == [2, 8]
    assert cut.figures[1].metrics == alone.figures[0].metrics
    assert rotated.figures[1].metrics == pytest.approx(alone.figures[0].metrics, abs=0.02)  # ties of rounded scores
    assert rotated.figures[0].metrics != cut.figures[0].metrics
    assert min(cut.seconds, rotated.seconds) >= alone.seconds
    assert all((tmp_path / name).exists() for name in names)


def test_a_failed_fit_fails_for_all_derived_models(places: tuple[Path, Path]) -> None:
    tasks = [
        Task(Job(name, {"epochs": -1}, (4,), "test", 0, 1, (5,), ("ndcg",)))
        for name in ("nestrec-alone", "nestrec-alone-cut")
    ]
    with Worker(threads=1) as worker:
        assert all("epochs" in str(outcome.error) for outcome in worker.fit(tasks, *places))

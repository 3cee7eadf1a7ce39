"""A whole comparison: the same rules for all, the test part at the end, nothing done twice."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nestrec import compare
from nestrec.comparison import fit_runner, stored_interactions
from nestrec.comparison.callbacks import ComparisonCallback
from nestrec.comparison.fit_runner import FitRunner
from nestrec.comparison.job import Job, Outcome
from nestrec.comparison.result import Comparison
from nestrec.comparison.worker import Worker
from nestrec.data.interactions import Interactions
from nestrec.data.splitting import RandomSplit
from nestrec.data.synthetic import SyntheticData
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, MissingExtraError, OptionError
from nestrec.evaluation import evaluate
from nestrec.report.comparison_tables import comparison_tables
from nestrec.report.comparison_view import ComparisonView

TRAIN, TEST = RandomSplit(0.2).split(
    SyntheticData(n_users=120, n_items=80, interactions_per_user=12).generate(seed=0).interactions
)
SMALL: dict[str, Any] = {
    "models": ["popularity", "ease", "ials"],
    "widths": [2, 4],
    "seeds": [0, 1],
    "trials": 2,
    "threads": 1,
}


class Recorder(ComparisonCallback):
    def __init__(self) -> None:
        self.n_planned = self.n_fitted = 0
        self.steps: list[str] = []
        self.messages: list[str] = []

    def on_start(self, n_fits: int) -> None:
        self.n_planned = n_fits

    def on_step(self, description: str) -> None:
        self.steps.append(description)

    def on_progress(self, n_fits: int) -> None:
        self.n_fitted += n_fits

    def on_message(self, message: str) -> None:
        self.messages.append(message)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("comparison")


@pytest.fixture(scope="module")
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture(scope="module")
def found(folder: Path, recorder: Recorder) -> Comparison:
    return compare(TRAIN, TEST, **SMALL, out=folder, callbacks=recorder)


def jobs(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line)["job"] for line in (folder / "runs.jsonl").read_text().splitlines()[1:]]


def test_nestrec_comes_first_and_each_kind_has_its_cells(found: Comparison) -> None:
    assert [(model.name, model.kind, [cell.width for cell in model.cells]) for model in found.models] == [
        ("nestrec", "nested", [2, 4]),
        ("popularity", "whole", [None]),
        ("ease", "whole", [None]),
        ("ials", "single", [2, 4]),
    ]
    assert [model.error for model in found.models] == [None] * 4


def test_every_model_has_the_same_number_of_fits_to_be_tuned_with(found: Comparison, folder: Path) -> None:
    spent = {(cell.width, model.name): cell.trials for model in found.models for cell in model.cells}
    assert spent == {
        (2, "nestrec"): 0, (4, "nestrec"): 0, (None, "popularity"): 0, (None, "ease"): 4, (2, "ials"): 2, (4, "ials"): 2
    }  # fmt: skip
    tuned = [job for job in jobs(folder) if job["part"] == "validation"]
    assert sorted(job["model"] for job in tuned) == ["ease"] * 4 + ["ials"] * 4


def test_tuning_is_over_before_the_test_part_is_used(found: Comparison, folder: Path) -> None:
    parts = [job["part"] for job in jobs(folder)]
    assert parts == ["validation"] * 8 + ["test"] * (2 * 5)
    assert found.protocol.validation_fraction == 0.1


def test_tuning_never_sees_the_test_part(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, Interactions]] = []
    write = stored_interactions.write_interactions

    def noted(place: Path, interactions: Interactions) -> None:
        written.append((place.name, interactions))
        write(place, interactions)

    monkeypatch.setattr(fit_runner, "write_interactions", noted)
    compare(TRAIN, TEST, **{**SMALL, "models": ["ease"], "widths": [2], "seeds": [0]})
    assert [name for name, _ in written] == ["search", "validation", "train", "test"]
    search, validation = (interactions for _, interactions in written[:2])
    assert search.n_interactions + validation.n_interactions == TRAIN.n_interactions


def test_all_planned_fits_are_reported_as_done(found: Comparison, recorder: Recorder) -> None:
    assert found is not None
    assert recorder.n_planned == recorder.n_fitted == 18
    assert "tuning ials at width 4" in recorder.steps


def test_means_are_over_seeds_and_figures_are_those_of_evaluate(found: Comparison) -> None:
    cell = found.model("nestrec").at(4)
    for label in ("recall@20", "ndcg@20"):
        assert cell.metrics[label] == pytest.approx(np.mean([seed.metrics[label] for seed in cell.seeds]))
        low, high = cell.intervals[label]
        assert low < cell.metrics[label] < high
    from nestrec import Run, Widths
    from nestrec.baselines import baseline

    here = evaluate(baseline("popularity").fit(TRAIN, Widths([2]), Run()), TEST, [20], bootstrap_samples=0).widths[0]
    popular = found.model("popularity").at(4)
    assert popular.metrics == pytest.approx(here.means)
    assert popular.beyond_accuracy == pytest.approx(here.beyond_accuracy)


def test_metrics_by_popularity_of_the_test_items_are_means_over_seeds(found: Comparison) -> None:
    assert [band.name for band in found.data.bands] == ["head", "middle", "tail"]
    for model in found.models:
        for cell in model.cells:
            assert set(cell.bands) == {"head", "middle", "tail"}
            assert all(set(of_band) == {"recall@20", "ndcg@20"} for of_band in cell.bands.values())
    popular = found.model("popularity").cells[0].bands
    assert popular["head"]["recall@20"] > popular["tail"]["recall@20"]


def test_a_difference_is_nestrecs_mean_minus_the_others(found: Comparison) -> None:
    nestrec = found.model("nestrec")
    for model in found.models[1:]:
        for width in (2, 4):
            difference = model.at(width).difference("ndcg@20", width)
            assert difference is not None
            lead = nestrec.at(width).metrics["ndcg@20"] - model.at(width).metrics["ndcg@20"]
            assert difference.mean == pytest.approx(lead, abs=1e-6)
            assert difference.low <= difference.mean <= difference.high
            assert difference.p_value <= difference.corrected_p_value <= 1
    assert nestrec.at(4).differences == ()


def test_costs_are_measured(found: Comparison) -> None:
    for model in found.models:
        assert model.training_seconds > 0
        assert model.peak_memory_bytes > 0
    ials = found.model("ials")
    assert ials.training_seconds == pytest.approx(sum(cell.training_seconds for cell in ials.cells))
    assert ials.tuning_seconds > 0
    nestrec = found.model("nestrec")
    assert nestrec.training_seconds == nestrec.at(2).training_seconds == nestrec.at(4).training_seconds


def test_it_is_json_and_back(found: Comparison) -> None:
    document = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert Comparison.from_dict(document).as_dict() == found.as_dict()
    with pytest.raises(DataError, match="must be a comparison of version 1"):
        Comparison.from_dict({**document, "version": 2})
    with pytest.raises(DataError, match=r"the comparison is malformed .*missing required field"):
        Comparison.from_dict({**document, "data": {}})
    others: tuple[object, ...] = ([], None, {**document, "models": 3}, {**document, "models": [{"name": "ease"}]})
    for malformed in others:
        with pytest.raises(DataError):
            Comparison.from_dict(malformed)


def test_a_second_run_fits_nothing_and_finds_the_same(
    found: Comparison, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> Worker:
        raise AssertionError("nothing is left to fit")

    monkeypatch.setattr(fit_runner, "Worker", refused)
    again = compare(TRAIN, TEST, **SMALL, out=folder)
    assert again.as_dict() == found.as_dict()


def test_an_interrupted_run_resumes(found: Comparison, folder: Path, tmp_path: Path) -> None:
    lines = (folder / "runs.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "runs.jsonl").write_bytes(b"".join(lines[:6]) + lines[6][:50])

    class Impatient(ComparisonCallback):
        def on_step(self, description: str) -> None:
            if description.startswith("fitting ease"):
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        compare(TRAIN, TEST, **SMALL, out=tmp_path, callbacks=Impatient())
    n_done = len(jobs(tmp_path))
    again = compare(TRAIN, TEST, **SMALL, out=tmp_path)
    assert jobs(tmp_path)[:n_done] == jobs(folder)[:n_done]
    assert len(jobs(tmp_path)) == len(jobs(folder))
    assert again.model("ease").at(4).metrics == found.model("ease").at(4).metrics


def failing(model: str, part: str) -> Callable[..., list[Outcome]]:
    done = {"test": FitRunner._evaluate_on_test, "validation": FitRunner._validate}[part]

    def outcome(self: FitRunner, jobs: Sequence[Job]) -> list[Outcome]:
        if jobs[0].model == model:
            return [Outcome.failure("its process was ended by SIGKILL")] * len(jobs)
        return done(self, jobs)

    return outcome


@pytest.mark.parametrize("part", ["test", "validation"])
def test_a_model_that_fails_is_marked_and_the_others_continue(monkeypatch: pytest.MonkeyPatch, part: str) -> None:
    monkeypatch.setattr(
        FitRunner, {"test": "_evaluate_on_test", "validation": "_validate"}[part], failing("ease", part)
    )
    recorder = Recorder()
    found = compare(TRAIN, TEST, **{**SMALL, "models": ["ease", "popularity"]}, callbacks=recorder)
    failed, other = found.model("ease").cells[0], found.model("popularity").cells[0]
    assert failed.error == "its process was ended by SIGKILL"
    assert (failed.metrics, failed.seeds, failed.differences) == ({}, (), ())
    assert other.error is None
    assert len(other.differences) == 4
    assert recorder.n_planned == recorder.n_fitted
    assert any("SIGKILL" in message for message in recorder.messages)
    assert Comparison.from_dict(json.loads(json.dumps(found.as_dict()))).as_dict() == found.as_dict()


def test_where_nestrec_itself_fails_nothing_is_compared_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FitRunner, "_evaluate_on_test", failing("nestrec", "test"))
    found = compare(TRAIN, TEST, **{**SMALL, "models": ["popularity"], "trials": 0})
    assert found.model("nestrec").error is not None
    assert found.model("popularity").at(2).differences == ()


def test_nestrec_is_tuned_on_request() -> None:
    words = {**SMALL, "models": ["popularity"], "widths": [2], "seeds": [0], "trials": 1}
    found = compare(TRAIN, TEST, **words, tune_nestrec=True)
    cell = found.model("nestrec").at(2)
    assert cell.trials == 1
    assert cell.validation_value is not None
    assert found.protocol.tuned_reference


DERIVED = ("nestrec-alone-cut", "nestrec-alone-rotated")


@pytest.mark.parametrize("models", [("nestrec-alone", *DERIVED), (*DERIVED, "nestrec-alone"), DERIVED])
def test_rows_of_one_training_share_it(tmp_path: Path, models: tuple[str, ...]) -> None:
    """The widest width alone is tuned and trained once per seed, for its own row and those of its prefixes."""
    recorder = Recorder()
    found = compare(TRAIN, TEST, **{**SMALL, "models": models}, out=tmp_path, callbacks=recorder)
    widest = [job["widths"] for job in jobs(tmp_path) if job["model"] == "nestrec-alone" and 4 in job["widths"]]
    assert widest == [[4]] * (2 + 2)  # trials, seeds
    assert recorder.n_planned == recorder.n_fitted
    assert [model.name for model in found.models] == ["nestrec", *models]
    for name in DERIVED:
        row = found.model(name)
        assert (row.kind, [cell.width for cell in row.cells], row.error) == ("nested", [2, 4], None)
        assert len(row.at(2).differences) == 2
    if "nestrec-alone" in models:
        alone, cut = found.model("nestrec-alone"), found.model("nestrec-alone-cut")
        assert cut.at(4).metrics == alone.at(4).metrics
        assert cut.at(4).options == alone.at(4).options
        assert cut.at(2).metrics != alone.at(2).metrics
    again = compare(TRAIN, TEST, **{**SMALL, "models": models}, out=tmp_path)
    assert again.as_dict() == found.as_dict()


def test_a_shared_training_that_fails_is_tried_once(monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []
    fail = failing("nestrec-alone", "test")

    def noted(self: FitRunner, jobs: Sequence[Job]) -> list[Outcome]:
        tried.append(jobs[0].model)
        return fail(self, jobs)

    monkeypatch.setattr(FitRunner, "_evaluate_on_test", noted)
    found = compare(TRAIN, TEST, **{**SMALL, "models": DERIVED, "trials": 0, "seeds": [0]})
    assert tried == ["nestrec", "nestrec-alone"]
    assert all("SIGKILL" in str(found.model(name).error) for name in DERIVED)


def test_a_log_of_other_data_is_refused(found: Comparison, folder: Path) -> None:
    assert found is not None
    with pytest.raises(DataError, match="must be a log of the same data, but its test part"):
        compare(TRAIN, with_strangers(), **SMALL, out=folder)


def test_other_users_are_refused_before_anything_is_fitted() -> None:
    strangers = Interactions(
        Vocabulary.from_ids([f"stranger{n}" for n in range(TEST.n_users)]), TEST.items, TEST.indptr, TEST.indices
    )
    with pytest.raises(DataError, match="none of the 104 users with held-out interactions"):
        compare(TRAIN, strangers, **SMALL)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"models": ["magic"]}, "models must be among popularity, .*; got 'magic'"),
        ({"models": ["ease", "ease"]}, "models must not repeat a name, got ease,ease"),
        ({"widths": [4, 2]}, "widths must be positive, ascending and unique"),
        ({"cutoffs": [0]}, "cutoffs must be 1 or more"),
        ({"seeds": []}, "seeds must be .*; got none"),
        ({"seeds": [1, 1]}, "seeds must be .*; got 1,1"),
        ({"seeds": [-1]}, "seed must be between 0 and .*, got -1"),
        ({"trials": -1}, "trials must be between 0 and"),
        ({"seconds": 0.0}, "seconds must be above 0, got 0.0"),
        ({"metric": "accuracy@5"}, "metric must be one of .*; got 'accuracy@5'"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
    ],
)
def test_invalid_arguments_are_reported_in_one_sentence(words: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        compare(TRAIN, TEST, **{**SMALL, **words})


def test_what_is_not_installed_is_left_out_or_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nestrec.comparison.model_choice.find_spec", lambda _: None)
    from nestrec.comparison import select_models

    names, absent = select_models(None)
    assert names[0] == "nestrec"
    assert "popularity" in names
    assert 'pip install "nestrec[baselines]"' in absent["ials"]
    with pytest.raises(MissingExtraError, match="ials needs implicit, which is not installed"):
        select_models(["ials"])


def with_strangers() -> Interactions:
    """The test part, every third user of which nobody has trained."""
    ids = [f"zz{row}" if row % 3 == 0 else str(name) for row, name in enumerate(TEST.users.ids.tolist())]
    order = np.argsort(np.array(ids))
    rows = [TEST.indices[TEST.indptr[row] : TEST.indptr[row + 1]] for row in order]
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
    return Interactions(Vocabulary.from_ids(ids), TEST.items, indptr, np.concatenate(rows))


def test_metrics_over_warm_users_are_reported_too() -> None:
    """Users without training interactions count as 0 for every model; the two means differ by their share alone."""
    found = compare(TRAIN, with_strangers(), models=["popularity"], widths=[2], seeds=[0], trials=0, threads=1)
    data = found.data
    assert data.known_test_users is not None
    assert 0 < data.known_test_users < data.test_users
    for model in found.models:
        cell = model.at(2)
        for label, mean in cell.metrics.items():
            assert cell.known_metrics[label] * data.known_test_users == pytest.approx(mean * data.test_users, rel=1e-5)
        low, high = cell.known_intervals["ndcg@20"]
        assert low <= cell.known_metrics["ndcg@20"] <= high
    again = Comparison.from_dict(found.as_dict())
    assert again.model("popularity").at(2).known_metrics == found.model("popularity").at(2).known_metrics
    titles = [table.title or "" for table in comparison_tables(ComparisonView(found))]
    assert sum(f"the {data.known_test_users:,} of {data.test_users:,} test users" in title for title in titles) == 2


def test_training_data_as_test_data_are_refused() -> None:
    with pytest.raises(DataError, match="training interactions"):
        compare(TRAIN, TRAIN, models=["popularity"], widths=[2], seeds=[0], trials=0, threads=1)


def test_parts_are_read_from_tables_and_files(tmp_path: Path) -> None:
    options: dict[str, Any] = {"models": ["popularity"], "widths": [2], "seeds": [0], "trials": 0, "threads": 1}
    frame = pd.DataFrame(pairs_of(TRAIN), columns=["user", "item"])
    path = tmp_path / "test.csv"
    pd.DataFrame(pairs_of(TEST), columns=["user", "item"]).to_csv(path, index=False)
    found, expected = compare(frame, path, **options), compare(TRAIN, TEST, **options)
    assert found.data.train_fingerprint == expected.data.train_fingerprint
    assert found.data.test_users == expected.data.test_users
    assert [model.at(2).metrics for model in found.models] == [model.at(2).metrics for model in expected.models]


def pairs_of(interactions: Interactions) -> list[tuple[int, int]]:
    users = np.repeat(interactions.users.ids, np.diff(interactions.indptr)).tolist()
    return list(zip(users, interactions.items.ids[interactions.indices].tolist(), strict=True))

"""A plan reaches its recall on users, is kept with the model, and is what `recommend` goes by."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import nestrec
from nestrec.errors import ModelFileError, OptionError
from nestrec.planning.plan import Planning, _cheapest, plan
from nestrec.planning.trial import Sample, recall
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.plan import Measured, Plan, ScreenOptions
from nestrec.retrieval.retriever import FullScan
from nestrec.retrieval.storage import Storage
from tests.retrieval.worlds import falling_spectrum

SIZE, K = 16, 5


@pytest.fixture(scope="module")
def model() -> nestrec.NestedEmbeddings:
    vectors = falling_spectrum(300, 4_000, SIZE, power=0.8)
    built = nestrec.NestedEmbeddings.from_arrays(vectors.queries, vectors.items, (2, 4, 8, SIZE))
    seen = nestrec.Interactions(
        built.users, built.items, np.arange(301, dtype=np.int64), np.full(300, 7, dtype=np.int32)
    )
    return nestrec.NestedEmbeddings(vectors.queries, vectors.items, built.widths, built.users, built.items, seen)


@pytest.fixture(scope="module")
def planning(model: nestrec.NestedEmbeddings) -> Planning:
    return plan(model, recall=0.95, k=K, n_users=60, threads=1)


def by_shortlist(model: nestrec.NestedEmbeddings, shortlist: int) -> nestrec.NestedEmbeddings:
    """Return the model with a plan that was chosen by hand."""
    options = ScreenOptions(4, Storage.INT8)
    screen = options.build(model.user_embeddings, model.item_embeddings, SIZE)
    return model.planned(Plan(SIZE, options, shortlist, k=K), screen)


def test_the_chosen_plan_is_about_as_fast_as_any_that_reaches_the_recall(planning: Planning) -> None:
    reaching = [tried for tried in planning.tried if tried.measured and tried.measured.recall >= 0.95]
    assert planning.chosen.measured is not None
    assert planning.chosen in reaching
    fastest = min(tried.measured.p50_ms for tried in reaching if tried.measured)
    assert planning.chosen.measured.p50_ms <= 1.25 * fastest


def test_of_plans_as_fast_a_proven_one_is_taken_then_the_smaller() -> None:
    def measured(plan: Plan, p50_ms: float, size: float) -> Plan:
        return plan.with_measured(K, Measured(0.99, p50_ms, 1.0, 1.0, size, 0.9, 1))

    quick, proven = measured(Plan(8, shortlist=9), 1.0, 8.0), measured(Plan(8), 1.2, 32.0)
    large, slow = measured(Plan(8), 1.2, 64.0), measured(Plan(8), 1.3, 1.0)
    assert _cheapest([quick, large, proven, slow]) == proven
    assert _cheapest([quick, slow]) == quick


def test_what_is_measured_is_what_a_full_scan_says(model: nestrec.NestedEmbeddings, planning: Planning) -> None:
    ids = model.users.ids[:100]
    expected = model.recommend(ids, k=K).ids
    for tried in planning.tried:
        assert tried.measured is not None
        if tried.exact:
            assert tried.measured.recall == 1.0
    found = planning.model.recommend(ids, k=K).ids
    share = np.mean([np.isin(one, other).mean() for one, other in zip(expected, found, strict=True)])
    assert share >= 0.9


def test_longer_shortlists_find_more(planning: Planning) -> None:
    own = [
        tried for tried in planning.tried if tried.screen == ScreenOptions(4) and tried.shortlist and not tried.stages
    ]
    recalls = [tried.measured.recall for tried in own if tried.measured]
    assert len(recalls) > 2
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[-1]


def test_the_frontier_rises(planning: Planning) -> None:
    figures = [(tried.measured.p50_ms, tried.measured.recall) for tried in planning.frontier if tried.measured]
    assert figures == sorted(figures)
    assert len({recall for _, recall in figures}) == len(figures)
    assert figures[-1][1] == 1.0


def test_recall_of_one_takes_a_proven_plan(model: nestrec.NestedEmbeddings) -> None:
    chosen = plan(model, recall=1.0, k=K, n_users=20, threads=1).chosen
    assert chosen.exact


def test_it_hears_of_every_plan(model: nestrec.NestedEmbeddings) -> None:
    heard: list[tuple[Plan, int, int]] = []
    found = plan(model.at(4), k=K, n_users=5, heard=lambda *told: heard.append(told))
    assert [told[0] for told in heard] == list(found.tried)
    assert heard[-1][1] == heard[-1][2]


def test_recommend_goes_by_the_plan_and_exact_does_not(model: nestrec.NestedEmbeddings) -> None:
    """A shortlist of k items at width 4 misses some; that shows that it is used."""
    planned, ids = by_shortlist(model, K), model.users.ids[:50]
    expected = model.recommend(ids, k=K)
    assert (planned.recommend(ids, k=K).ids != expected.ids).any()
    assert isinstance(planned.retriever(k=K), Funnel)
    for exact in (planned.recommend(ids, k=K, exact=True), planned.recommend(ids, k=K, width=SIZE, exact=True)):
        np.testing.assert_array_equal(exact.ids, expected.ids)
        np.testing.assert_array_equal(exact.scores, expected.scores)


def test_a_plan_holds_for_its_width_and_its_k(model: nestrec.NestedEmbeddings) -> None:
    planned = by_shortlist(model, K)
    assert isinstance(planned.retriever(8), FullScan)
    assert isinstance(planned.retriever(k=K + 1), FullScan)
    assert isinstance(planned.retriever(k=K, exact=True), Exact)
    assert planned.at(SIZE).plan == planned.plan
    assert planned.at(8).plan is None
    assert planned.at(8).screen is None
    assert planned.planned(None, None).plan is None


def test_seen_and_denied_items_stay_out_of_a_planned_answer(model: nestrec.NestedEmbeddings) -> None:
    planned, ids = by_shortlist(model, 1_000), model.users.ids[:40]
    first = planned.recommend(ids, k=K)
    assert 7 not in first.ids
    denied = np.unique(first.ids)[:20]
    again = planned.recommend(ids, k=K, without=denied)
    assert not np.isin(again.ids, denied).any()
    only = planned.recommend(ids, k=K, only=denied)
    assert np.isin(only.ids, denied).all()


def test_a_plan_and_its_screen_are_saved_and_mapped(model: nestrec.NestedEmbeddings, tmp_path: Path) -> None:
    planned, ids = by_shortlist(model, 30), model.users.ids[:30]
    planned.save(tmp_path / "m")
    again = nestrec.NestedEmbeddings.load(tmp_path / "m", verify=True)
    assert again.plan == planned.plan
    assert again.screen is not None
    assert not again.screen.shelves.codes.flags.writeable
    np.testing.assert_array_equal(again.recommend(ids, k=K).ids, planned.recommend(ids, k=K).ids)
    again.planned(None, None).save(tmp_path / "m", overwrite=True)
    assert not (tmp_path / "m" / "screen.safetensors").exists()


def test_a_damaged_plan_is_refused(model: nestrec.NestedEmbeddings, tmp_path: Path) -> None:
    by_shortlist(model, 30).save(tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    (tmp_path / "m" / "manifest.json").write_text(json.dumps({**manifest, "plan": {"width": 16}}))
    with pytest.raises(ModelFileError, match="plan is damaged"):
        _ = nestrec.NestedEmbeddings.load(tmp_path / "m").plan
    (tmp_path / "m" / "manifest.json").write_text(json.dumps({**manifest, "screen": {"width": 16}}))
    with pytest.raises(ModelFileError, match="do not fit each other"):
        nestrec.NestedEmbeddings.load(tmp_path / "m")


def test_a_plan_needs_its_own_screen(model: nestrec.NestedEmbeddings) -> None:
    other = ScreenOptions(8).build(model.user_embeddings, model.item_embeddings, SIZE)
    wanted = Plan(SIZE, ScreenOptions(4), k=K)
    for screen in (None, other):
        with pytest.raises(OptionError, match="needs the screen that it was made with"):
            wanted.retriever(model.item_embeddings, screen)


def test_names_tell_the_sequence() -> None:
    assert Plan(64).name == "full scan, 64"
    assert Plan(64, ScreenOptions(64)).name == "int8 64, proven, 64"
    assert Plan(64, ScreenOptions(8, Storage.BF16, turned=True), 400, (Stage(32, 120),)).name == (
        "bf16 8 turned, shortlist 400, 32 shortlist 120, 64"
    )
    assert Plan(64, ScreenOptions(64, n_clusters=9)).name == "int8 64, 9 clusters, proven, 64"


def test_recall_divides_by_what_there_is() -> None:
    best = np.array([[1, 2, -1], [3, 4, 5], [-1, -1, -1]], dtype=np.int32)
    found = np.array([[2, 9, 1], [3, -1, -1], [-1, -1, -1]], dtype=np.int32)
    assert recall(found, best) == pytest.approx((1 + 1 / 3) / 2)


def test_a_sample_has_users_once_with_their_exclusions(model: nestrec.NestedEmbeddings) -> None:
    sample = Sample.of(model, SIZE, 1_000, K, seed=0, threads=1)
    assert len(sample.queries) == 300
    assert not (sample.best == 7).any()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"recall": 0.0}, "recall=0.0"),
        ({"recall": 1.1}, "recall=1.1"),
        ({"k": 0}, "k=0"),
        ({"n_users": 0}, "without users"),
        ({"storages": ()}, "without users and storages"),
        ({"width": 5}, "width 5 was not trained"),
    ],
)
def test_mistakes_are_refused(model: nestrec.NestedEmbeddings, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        plan(model, **options)  # type: ignore[arg-type]

"""A search config reaches its recall on users, is saved with the model, and is used by `recommend`."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import nestrec
from nestrec.autotune.autotune import AutotuneResult, _choose_cheapest, plan
from nestrec.autotune.trial import Sample, recall
from nestrec.errors import ModelFileError, OptionError
from nestrec.retrieval.exact import Exact
from nestrec.retrieval.full_scan import FullScan
from nestrec.retrieval.funnel import Funnel, Stage
from nestrec.retrieval.quantization import Storage
from nestrec.retrieval.search_config import CoarseIndexOptions, Measurements, SearchConfig
from tests.artefact.foreign_writer import rewrite_manifest
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
def result(model: nestrec.NestedEmbeddings) -> AutotuneResult:
    return plan(model, recall=0.95, k=K, n_users=60, threads=1)


def by_shortlist(model: nestrec.NestedEmbeddings, shortlist: int) -> nestrec.NestedEmbeddings:
    """Return the model with a search config chosen by hand."""
    options = CoarseIndexOptions(4, Storage.INT8)
    index = options.build(model.user_embeddings, model.item_embeddings, SIZE)
    return model.with_search_config(SearchConfig(SIZE, options, shortlist, k=K), index)


def test_the_best_config_is_about_as_fast_as_any_that_reaches_the_recall(result: AutotuneResult) -> None:
    reaching = [tried for tried in result.trials if tried.measurements and tried.measurements.recall >= 0.95]
    chosen = next(tried for tried in reaching if tried.name == result.best.name)
    fastest = min(tried.measurements.p50_ms for tried in reaching if tried.measurements)
    assert chosen.measurements is not None
    assert chosen.measurements.p50_ms <= max(1.25 * fastest, fastest + 0.1)


def test_a_table_has_a_row_per_measured_config(result: AutotuneResult) -> None:
    frame = result.to_polars()
    assert frame["config"].to_list() == [trial.name for trial in result.trials]
    assert frame["recall"].to_list() == [trial.measured.recall for trial in result.trials]
    assert frame.filter("best")["config"].to_list() == [result.best.name]
    assert frame.filter("frontier").height == len(result.frontier)
    assert frame.filter(config=f"full scan, {SIZE}")["index_width"].to_list() == [None]
    assert result.best.name in repr(result)


def test_of_configs_as_fast_an_exact_one_is_taken_then_the_smaller() -> None:
    quick, exact = measured(SearchConfig(8, shortlist=9), 1.0, 8.0), measured(SearchConfig(8), 1.2, 32.0)
    large, slow = measured(SearchConfig(8), 1.2, 64.0), measured(SearchConfig(8), 1.3, 1.0)
    assert _choose_cheapest([quick, large, exact, slow]) == exact
    assert _choose_cheapest([quick, slow]) == quick


def measured(plan: SearchConfig, p50_ms: float, size: float) -> SearchConfig:
    return plan.with_measurements(K, Measurements(0.99, p50_ms, 1.0, 1.0, size, 0.9, 1))


@pytest.mark.parametrize("seed", range(5))
def test_in_a_small_catalogue_timing_noise_does_not_choose(seed: int) -> None:
    """With 2,000 items all configs take about a tenth of a millisecond, and the best was another in each run."""
    rng = np.random.default_rng(seed)
    options = [CoarseIndexOptions(width, storage) for width in (8, SIZE) for storage in (Storage.INT8, Storage.BF16)]
    searches = [SearchConfig(SIZE, one, shortlist) for one in options for shortlist in (0, 20, 40)]
    plans = [measured(one, rng.uniform(0.08, 0.16), one.width) for one in searches]
    scan = measured(SearchConfig(SIZE), rng.uniform(0.08, 0.16), 64.0)
    assert _choose_cheapest([*plans, scan]) == scan
    again = [measured(one, rng.uniform(0.08, 0.16), one.width) for one in searches]
    assert _choose_cheapest(plans).name == _choose_cheapest(again).name


def test_of_configs_as_fast_the_one_of_fewest_stages_is_taken() -> None:
    bare = measured(SearchConfig(64, CoarseIndexOptions(8), 400), 2.2, 16.0)
    staged = measured(SearchConfig(64, CoarseIndexOptions(8), 400, (Stage(32, 100),)), 2.0, 8.0)
    rowed = measured(SearchConfig(64, CoarseIndexOptions(8, refinement_width=64), 400, (Stage(64, 150),)), 2.1, 8.0)
    assert _choose_cheapest([rowed, staged, bare]) == bare
    assert _choose_cheapest([measured(bare, 2.6, 16.0), staged]) == staged


def test_recall_is_measured_against_the_full_scan(model: nestrec.NestedEmbeddings, result: AutotuneResult) -> None:
    ids = model.users.ids[:100]
    expected = model.recommend(ids, k=K).ids
    for tried in result.trials:
        assert tried.measurements is not None
        if tried.exact:
            assert tried.measurements.recall == 1.0
    found = result.model.recommend(ids, k=K).ids
    share = np.mean([np.isin(one, other).mean() for one, other in zip(expected, found, strict=True)])
    assert share >= 0.9


def test_longer_shortlists_find_more(result: AutotuneResult) -> None:
    own = [
        tried
        for tried in result.trials
        if tried.index == CoarseIndexOptions(4) and tried.shortlist and not tried.stages
    ]
    recalls = [tried.measurements.recall for tried in own if tried.measurements]
    assert len(recalls) > 2
    assert recalls == sorted(recalls)
    assert recalls[0] < recalls[-1]


def test_the_frontier_rises(result: AutotuneResult) -> None:
    figures = [
        (tried.measurements.p50_ms, tried.measurements.recall) for tried in result.frontier if tried.measurements
    ]
    assert figures == sorted(figures)
    assert len({recall for _, recall in figures}) == len(figures)
    assert figures[-1][1] == 1.0


def test_recall_of_one_takes_an_exact_config(model: nestrec.NestedEmbeddings) -> None:
    chosen = plan(model, recall=1.0, k=K, n_users=20, threads=1).best
    assert chosen.exact


def test_the_callback_gets_every_trial(model: nestrec.NestedEmbeddings) -> None:
    trials: list[tuple[SearchConfig, int, int]] = []
    found = plan(model.at(4), k=K, n_users=5, callback=lambda *told: trials.append(told))
    assert [told[0] for told in trials] == list(found.trials)
    assert trials[-1][1] == trials[-1][2]


def test_recommend_uses_the_config_unless_exact(model: nestrec.NestedEmbeddings) -> None:
    """A shortlist of k items at width 4 misses some; that shows that it is used."""
    planned, ids = by_shortlist(model, K), model.users.ids[:50]
    expected = model.recommend(ids, k=K)
    assert (planned.recommend(ids, k=K).ids != expected.ids).any()
    assert isinstance(planned.retriever(k=K), Funnel)
    for exact in (planned.recommend(ids, k=K, exact=True), planned.recommend(ids, k=K, width=SIZE, exact=True)):
        np.testing.assert_array_equal(exact.ids, expected.ids)
        np.testing.assert_array_equal(exact.scores, expected.scores)


def test_a_config_applies_to_its_width_and_its_k(model: nestrec.NestedEmbeddings) -> None:
    planned = by_shortlist(model, K)
    assert isinstance(planned.retriever(8), FullScan)
    assert isinstance(planned.retriever(k=K + 1), FullScan)
    assert isinstance(planned.retriever(k=K, exact=True), Exact)
    assert planned.at(SIZE).search_config == planned.search_config
    assert planned.at(8).search_config is None
    assert planned.at(8).coarse_index is None
    assert planned.with_search_config(None, None).search_config is None


def test_seen_and_denied_items_are_masked_in_a_funnel(model: nestrec.NestedEmbeddings) -> None:
    planned, ids = by_shortlist(model, 1_000), model.users.ids[:40]
    first = planned.recommend(ids, k=K)
    assert 7 not in first.ids
    denied = np.unique(first.ids)[:20]
    again = planned.recommend(ids, k=K, deny=denied)
    assert not np.isin(again.ids, denied).any()
    only = planned.recommend(ids, k=K, allow=denied)
    assert np.isin(only.ids, denied).all()


def test_a_config_and_its_index_are_saved_and_mapped(model: nestrec.NestedEmbeddings, tmp_path: Path) -> None:
    planned, ids = by_shortlist(model, 30), model.users.ids[:30]
    planned.save(tmp_path / "m")
    again = nestrec.NestedEmbeddings.load(tmp_path / "m", verify=True)
    assert again.search_config == planned.search_config
    assert again.coarse_index is not None
    assert not again.coarse_index.blocks.codes.flags.writeable
    np.testing.assert_array_equal(again.recommend(ids, k=K).ids, planned.recommend(ids, k=K).ids)
    again.with_search_config(None, None).save(tmp_path / "m", overwrite=True)
    assert not (tmp_path / "m" / "coarse_index.safetensors").exists()


def test_a_config_without_optional_fields_is_loaded(model: nestrec.NestedEmbeddings, tmp_path: Path) -> None:
    planned = by_shortlist(model, 30)
    assert planned.search_config is not None
    own = planned.search_config.with_measurements(
        K, Measurements(0.9, 0.1, 0.2, 1_000.0, 4.0, 0.9, 1, full_scan_users_per_second=2_000.0)
    )
    planned.with_search_config(own, planned.coarse_index).save(tmp_path / "m")
    manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
    del (
        manifest["search_config"]["measurements"]["full_scan_users_per_second"],
        manifest["search_config"]["index"]["refinement_width"],
        manifest["coarse_index"]["refinement_width"],
    )
    rewrite_manifest(tmp_path / "m", **manifest)
    again = nestrec.NestedEmbeddings.load(tmp_path / "m")
    assert again.search_config is not None
    assert again.search_config.measurements == replace(own.measurements, full_scan_users_per_second=0.0)  # type: ignore[type-var]
    assert not again.search_config.slower_in_batches
    assert isinstance(again.retriever(k=K, n_queries=100), Funnel)


def test_a_damaged_config_is_refused(model: nestrec.NestedEmbeddings, tmp_path: Path) -> None:
    by_shortlist(model, 30).save(tmp_path / "m")
    plan = json.loads((tmp_path / "m" / "manifest.json").read_text())["search_config"]
    rewrite_manifest(tmp_path / "m", search_config={**plan, "width": "16"})
    with pytest.raises(ModelFileError, match="search_config is damaged"):
        nestrec.NestedEmbeddings.load(tmp_path / "m")
    rewrite_manifest(tmp_path / "m", search_config=plan, coarse_index={"width": 16})
    with pytest.raises(ModelFileError, match=r"does not fit its manifest.*nestrec plan"):
        nestrec.NestedEmbeddings.load(tmp_path / "m")


@pytest.mark.parametrize("cut", [None, 100])
def test_a_model_whose_index_is_lost_can_be_tuned_again(
    model: nestrec.NestedEmbeddings, tmp_path: Path, cut: int | None
) -> None:
    """A file that is made from the others in seconds was a reason to train again: the model could not be opened."""
    by_shortlist(model, 30).save(tmp_path / "m")
    index = tmp_path / "m" / "coarse_index.safetensors"
    if cut is None:
        index.unlink()
    else:
        index.write_bytes(index.read_bytes()[:cut])
    with pytest.raises(ModelFileError, match=r"coarse_index.safetensors .* nestrec plan"):
        nestrec.NestedEmbeddings.load(tmp_path / "m")
    bare = nestrec.NestedEmbeddings.load(tmp_path / "m", search_config=False)
    assert bare.search_config is None
    by_shortlist(bare, 30).save(tmp_path / "m", overwrite=True)
    assert nestrec.NestedEmbeddings.load(tmp_path / "m", verify=True).search_config is not None


def test_a_config_needs_its_own_index(model: nestrec.NestedEmbeddings) -> None:
    other = CoarseIndexOptions(8).build(model.user_embeddings, model.item_embeddings, SIZE)
    wanted = SearchConfig(SIZE, CoarseIndexOptions(4), k=K)
    for index in (None, other):
        with pytest.raises(OptionError, match="needs the coarse index"):
            wanted.retriever(model.item_embeddings, index)


def set_latency(monkeypatch: pytest.MonkeyPatch, latency_of: Callable[[SearchConfig], float]) -> None:
    """Let every measurement have this median latency, in milliseconds."""
    measure = Sample.measure

    def measure_with_latency(sample: Sample, tried: SearchConfig, *rest: Any) -> SearchConfig:
        found = measure(sample, tried, *rest)
        return found.with_measurements(found.k, replace(found.measured, p50_ms=latency_of(tried)))

    monkeypatch.setattr(Sample, "measure", measure_with_latency)


def test_large_catalogues_are_tried_with_refinement_codes(
    model: nestrec.NestedEmbeddings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def is_refined(tried: SearchConfig) -> bool:
        return bool(tried.stages) and tried.index is not None and tried.index.refinement_width > 0

    monkeypatch.setattr("nestrec.autotune.autotune._REFINED_FROM", 4_000)
    set_latency(monkeypatch, lambda tried: 0.1 if is_refined(tried) else 1.0)
    found = plan(model, recall=0.9, k=K, n_users=20, threads=1)
    assert found.best.index is not None
    assert found.best.index.refinement_width == SIZE
    found.model.save(tmp_path / "m")
    again = nestrec.NestedEmbeddings.load(tmp_path / "m", verify=True)
    assert again.search_config == found.best
    ids = model.users.ids[:30]
    np.testing.assert_array_equal(again.recommend(ids, k=K).ids, found.model.recommend(ids, k=K).ids)
    np.testing.assert_array_equal(again.recommend(ids, k=K, exact=True).ids, model.recommend(ids, k=K).ids)


def test_names_describe_the_stages() -> None:
    assert SearchConfig(64).name == "full scan, 64"
    assert SearchConfig(64, CoarseIndexOptions(64)).name == "int8 64, certified, 64"
    assert SearchConfig(64, CoarseIndexOptions(8, Storage.BF16, rotate=True), 400, (Stage(32, 120),)).name == (
        "bf16 8 rotated, shortlist 400, 32 shortlist 120, 64"
    )
    assert SearchConfig(64, CoarseIndexOptions(8, refinement_width=64), 400, (Stage(64, 150),)).name == (
        "int8 8, shortlist 400, refine 64 shortlist 150, 64"
    )
    assert SearchConfig(64, CoarseIndexOptions(8, refinement_width=64)).name == "int8 8, refine 64, certified, 64"
    assert SearchConfig(64, CoarseIndexOptions(64, n_clusters=9)).name == "int8 64, 9 clusters, certified, 64"


def test_recall_divides_by_the_items_there_are() -> None:
    best = np.array([[1, 2, -1], [3, 4, 5], [-1, -1, -1]], dtype=np.int32)
    found = np.array([[2, 9, 1], [3, -1, -1], [-1, -1, -1]], dtype=np.int32)
    assert recall(found, best) == pytest.approx((1 + 1 / 3) / 2)


def test_a_sample_has_users_once_with_their_exclusions(model: nestrec.NestedEmbeddings) -> None:
    chosen_with, others = Sample.draw_halves(model, SIZE, 1_000, K, seed=0, threads=1)
    assert len(chosen_with.queries) == len(others.queries) == 150
    assert len(np.unique(np.concatenate([chosen_with.queries, others.queries]), axis=0)) == 300
    assert not (chosen_with.best == 7).any()


def test_a_single_user_is_both_halves() -> None:
    one = nestrec.NestedEmbeddings.from_arrays([[1.0, 2.0]], np.eye(40, 2, dtype=np.float32), (1, 2))
    assert plan(one, k=2, n_users=2, threads=1).best.measurements is not None


def test_the_reported_recall_is_of_users_that_took_no_part_in_the_choice(model: nestrec.NestedEmbeddings) -> None:
    """It was that of the users it was chosen with, which is biased: the least that reaches the target is taken."""
    found = plan(model, recall=0.97, k=K, n_users=60, threads=1)
    _, others = Sample.draw_halves(model, SIZE, 60, K, seed=0, threads=None)
    again = others.measure(found.best, model.item_embeddings, found.model.coarse_index)
    assert found.best.measurements is not None
    assert again.measurements is not None
    assert found.best.measurements.recall == again.measurements.recall >= 0.97


def test_a_config_that_misses_the_target_for_other_users_is_dropped_for_a_safer_one(
    model: nestrec.NestedEmbeddings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All shortlists find less for the other half: what is left is exact."""
    real, asked = Sample.measure, list[SearchConfig]()

    def worse_for_others(sample: Sample, tried: SearchConfig, *rest: Any) -> SearchConfig:
        found = real(sample, tried, *rest)
        assert found.measurements is not None
        if len(sample.queries) != 3 or tried.exact:
            return found
        asked.append(tried)
        return found.with_measurements(found.k, replace(found.measurements, recall=0.5))

    monkeypatch.setattr(Sample, "measure", worse_for_others)
    set_latency(monkeypatch, lambda tried: 1.0 if tried.exact else 0.1)
    found = plan(model, recall=0.9, k=K, n_users=7, threads=1)
    assert asked
    assert found.best.exact


def test_batches_use_the_full_scan_where_that_is_faster(model: nestrec.NestedEmbeddings) -> None:
    """A config is chosen by the latency of one query; in small catalogues it was slower than a full scan in batches."""
    planned = by_shortlist(model, 30)
    assert planned.search_config is not None
    slow = Measurements(0.9, 0.1, 0.2, 1_000.0, 4.0, 0.9, 1, full_scan_users_per_second=2_000.0)
    for measured, many in ((slow, FullScan), (replace(slow, full_scan_users_per_second=500.0), Funnel)):
        own = planned.with_search_config(planned.search_config.with_measurements(K, measured), planned.coarse_index)
        assert isinstance(own.retriever(k=K), Funnel)
        assert isinstance(own.retriever(k=K, n_queries=100), many)
    assert planned.search_config.with_measurements(K, slow).slower_in_batches


def test_both_throughputs_are_kept_with_a_config_that_is_not_the_scan(result: AutotuneResult) -> None:
    assert result.model.search_config == result.best
    measured = result.best.measurements
    assert measured is not None
    assert measured.users_per_second > 0
    assert (measured.full_scan_users_per_second > 0) == (result.best.index is not None)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"recall": 0.0}, "recall must be above 0 .* got 0.0"),
        ({"recall": 1.1}, "recall must be above 0 .* got 1.1"),
        ({"k": 0}, "k must be 1 or more"),
        ({"n_users": 1}, "n_users must be 2 or more.* 1 users"),
        ({"storages": ()}, "storages at least one.* 0 storages"),
        ({"width": 5}, "width 5 was not trained"),
    ],
)
def test_mistakes_are_refused(model: nestrec.NestedEmbeddings, options: dict[str, object], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        plan(model, **options)  # type: ignore[arg-type]

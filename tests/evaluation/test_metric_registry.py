"""Metrics are chosen by name, and a metric of another package is shown wherever the built-in ones are."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, PluginError
from nestrec.evaluation import evaluate
from nestrec.evaluation.metric_registry import MetricAtCutoff, list_compared_metrics, load_metrics
from nestrec.report.evaluation import evaluation_tables
from nestrec.widths import Widths
from tests.evaluation.plain import interactions
from tests.plugin_packages import installed_package

PLUGIN = """
import numpy as np
from nestrec.evaluation.metric_registry import AccuracyMetric, CatalogueMetric

accuracy = AccuracyMetric(name="f1", function=lambda hits, k: 2 * hits.at(k).total() / (k + hits.n_relevant), source="")
catalogue = CatalogueMetric(name="longest", function=lambda lists: lists.n_lists.sum(), source="", diverse="lower")
misnamed = CatalogueMetric(name="other", function=lambda lists: 0.0, source="", diverse="lower")
"""
HELD_OUT = interactions({"ann": ["ale"], "bob": ["rye"]})


@pytest.fixture
def model() -> NestedEmbeddings:
    """Rank ale, jam, rye for everyone."""
    seen = interactions({"ann": ["jam"], "bob": ["jam"]}, items=["ale", "rye"])
    order = {"ale": 3.0, "jam": 2.0, "rye": 1.0}
    items = np.array([[order[str(item)]] for item in seen.items.ids], dtype=np.float32)
    return NestedEmbeddings(np.ones((2, 1), np.float32), items, Widths((1,)), seen.users, seen.items, seen)


def test_a_metric_of_another_package_is_shown_wherever_metrics_are(
    model: NestedEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    entries = {"nestrec.metrics:f1": "accuracy", "nestrec.metrics:longest": "catalogue"}
    with installed_package(tmp_path, monkeypatch, "more_metrics", PLUGIN, entries):
        found = evaluate(model, HELD_OUT, cutoffs=[1, 2])
        accuracy, _, catalogue = (table.headers for table in evaluation_tables(found))
        assert MetricAtCutoff.parse("f1@5") == MetricAtCutoff("f1", 5)
        assert list_compared_metrics()[-1] == "f1"
    assert found.at(1).means["f1@2"] == pytest.approx(2 / 3)
    assert found.as_dict()["widths"][0]["longest@1"] == 2
    assert "f1@1" in accuracy
    assert "longest@2" in catalogue
    assert "f1" not in load_metrics()


def test_a_plugin_of_another_name_than_its_metric_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {"nestrec.metrics:f1": "misnamed"}
    with (
        installed_package(tmp_path, monkeypatch, "misnamed_metrics", PLUGIN, entries),
        pytest.raises(PluginError, match=r"'f1'.*'other'"),
    ):
        load_metrics()


def test_named_metrics_alone_are_computed_and_shown(model: NestedEmbeddings) -> None:
    found = evaluate(model, HELD_OUT, cutoffs=[2], metrics=["gini", "mrr"])
    assert set(found.as_dict()["widths"][0]) >= {"mrr@2", "gini@2"}
    assert [table.headers[-1] for table in evaluation_tables(found)] == ["share of full mrr@2", "gini@2"]
    assert list(found.at(1).means) == ["mrr@2"]


@pytest.mark.parametrize(("chosen", "n_tables"), [("coverage", 1), ("recall", 1)])
def test_either_kind_of_metric_may_be_left_out(model: NestedEmbeddings, chosen: str, n_tables: int) -> None:
    found = evaluate(model, HELD_OUT, metrics=chosen)
    assert len(list(evaluation_tables(found))) == n_tables * (3 if chosen == "recall" else 1)
    everything = evaluate(model, HELD_OUT)
    label = f"{chosen}@20"
    assert found.as_dict()["widths"][0][label] == everything.as_dict()["widths"][0][label]


def test_unknown_metrics_are_refused_with_the_choices(model: NestedEmbeddings) -> None:
    with pytest.raises(OptionError, match=r"metrics must be some of recall, .*novelty; got 'auc'"):
        evaluate(model, HELD_OUT, metrics=["auc"])
    with pytest.raises(OptionError, match="got none"):
        evaluate(model, HELD_OUT, metrics=[])


@pytest.mark.parametrize(
    ("label", "got"),
    [("ndgc@20", "got 'ndgc@20'; did you mean 'ndcg'?"), ("ndcg", "got 'ndcg'"), ("ndcg@0", "got 'ndcg@0'")],
)
def test_a_wrong_metric_gets_the_choices_and_a_near_name(label: str, got: str) -> None:
    with pytest.raises(OptionError) as raised:
        MetricAtCutoff.parse(label)
    assert "metric must be one of recall, ndcg, precision, hit_rate, mrr, map at a cutoff from 1" in str(raised.value)
    assert str(raised.value).endswith(got)

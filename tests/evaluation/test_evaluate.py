"""`evaluate`: ids that do and do not match, the figures it returns, and what it refuses."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import DataError, DataWarning, OptionError
from nestrec.evaluation import evaluate
from nestrec.evaluation.held_out import Unmatched
from nestrec.widths import Widths
from tests.evaluation.plain import interactions, numbered, plain_list, plain_metrics, random_rows, whole_number_model

SEEN = {"ann": ["jam", "tea"], "bob": ["rye"], "eve": ["tea"]}


@pytest.fixture
def model() -> NestedEmbeddings:
    """Everyone likes items in the order ale, jam, rye, tea, at both widths."""
    seen = interactions(SEEN, items=["ale"])
    users = np.ones((3, 2), dtype=np.float32)
    items = np.array([[4, 0], [3, 0], [2, 0], [1, 0]], dtype=np.float32)
    return NestedEmbeddings(users, items, Widths((1, 2)), seen.users, seen.items, seen)


@pytest.mark.filterwarnings("ignore::nestrec.errors.DataWarning")  # held-out items may be seen ones
def test_every_users_values_equal_a_plain_reading() -> None:
    rng = np.random.default_rng(4)
    seen, held = random_rows(rng, 30, 60, 0.2), random_rows(rng, 30, 60, 0.04)
    model = whole_number_model(rng, numbered(seen, 60), (2, 5))
    found = evaluate(model, numbered(held, 60), cutoffs=(5, 20))
    users = [user for user in range(30) if held[user]]
    assert found.user_ids.tolist() == users
    for width in (2, 5):
        figures = found.at(width)
        scores = model.user_embeddings[:, :width] @ model.item_embeddings[:, :width].T
        rows = [
            plain_metrics(plain_list(scores[u], seen[u]), held[u], 5)
            | plain_metrics(plain_list(scores[u], seen[u]), held[u], 20)
            for u in users
        ]
        assert list(figures.means) == list(rows[0])
        for label in rows[0]:
            assert np.allclose(figures.of_users(label), [row[label] for row in rows], atol=1e-6)
            assert figures.means[label] == pytest.approx(np.mean([row[label] for row in rows]), abs=1e-6)
            low, high = figures.intervals[label]
            assert low <= figures.means[label] <= high


def test_ids_are_matched_by_name_not_by_row(model: NestedEmbeddings) -> None:
    """The held-out file has vocabularies of its own: here `rye` is item 0 and `eve` is user 0."""
    found = evaluate(model, interactions({"eve": ["rye"]}), cutoffs=[2, 3])
    assert found.at(2).means["recall@2"] == 0.0  # ale and jam come first
    assert found.at(2).means["recall@3"] == 1.0
    assert found.unmatched == Unmatched()


def test_unknown_users_and_items_stay_in_the_denominators(model: NestedEmbeddings) -> None:
    found = evaluate(model, interactions({"ann": ["ale", "new"], "stranger": ["ale", "newer"]}), cutoffs=[1])
    assert found.n_users == 2
    assert found.at(1).of_users("recall@1").tolist() == [0.5, 0.0]
    assert found.at(1).means["recall@1"] == 0.25
    assert found.unmatched == Unmatched(users=1, items=2, item_interactions=1, seen_interactions=0)


def test_held_out_items_seen_in_training_are_misses_and_counted(model: NestedEmbeddings) -> None:
    with pytest.warns(DataWarning, match="33%"):
        found = evaluate(model, interactions({"ann": ["jam", "ale"], "bob": ["ale"]}), cutoffs=[4])
    assert found.at(2).of_users("recall@4").tolist() == [0.5, 1.0]
    assert found.unmatched == Unmatched(seen_interactions=1)


def test_figures_of_the_catalogue_count_lists_of_known_users_only(model: NestedEmbeddings) -> None:
    """Lists of two: ann gets ale, rye; bob ale, jam. Training has jam 1, rye 1, tea 2, ale 0 times of 3 users."""
    found = evaluate(model, interactions({"ann": ["rye"], "bob": ["jam"], "stranger": ["jam"]}), cutoffs=[2])
    figures = found.at(1).beyond_accuracy
    assert figures["coverage@2"] == 0.75
    assert figures["popularity_rank@2"] == pytest.approx((4 + 2.5 + 4 + 2.5) / 4)
    assert figures["novelty@2"] == pytest.approx(np.log2(3))
    assert figures["gini@2"] == pytest.approx(np.abs(np.subtract.outer([0, 1, 1, 2], [0, 1, 1, 2])).sum() / 12 / 2)


def test_json_has_one_flat_entry_a_width(model: NestedEmbeddings) -> None:
    found = evaluate(model, interactions({"ann": ["ale"], "bob": ["ale"]}), cutoffs=[2, 1]).as_dict()
    plain = json.loads(json.dumps(found, allow_nan=False))
    assert plain == found
    assert (plain["users"], plain["cutoffs"], [entry["width"] for entry in plain["widths"]]) == (2, [1, 2], [1, 2])
    assert plain["widths"][0]["recall@1"] == plain["widths"][1]["ndcg@2"] == 1.0
    assert plain["widths"][0]["intervals"]["recall@1"] == [1.0, 1.0]
    assert plain["bootstrap"] == {"samples": 1000, "seed": 0, "confidence": 0.95}


def test_json_holds_null_where_nobody_has_an_item_left(model: NestedEmbeddings) -> None:
    seen = interactions({"ann": ["ale"]})
    full = NestedEmbeddings(
        np.ones((1, 1), np.float32), np.ones((1, 1), np.float32), Widths((1,)), seen.users, seen.items, seen
    )
    with pytest.warns(DataWarning):
        found = evaluate(full, interactions({"ann": ["ale", "new"]}), cutoffs=[1], bootstrap_samples=0)
    entry = found.as_dict()["widths"][0]
    assert entry["novelty@1"] is None
    assert entry["recall@1"] == 0.0


def test_intervals_are_left_out_on_request(model: NestedEmbeddings) -> None:
    found = evaluate(model, interactions({"ann": ["ale"]}), bootstrap_samples=0)
    assert found.at(1).intervals == {}
    assert "intervals" not in found.as_dict()["widths"][0]
    assert "bootstrap" not in found.as_dict()


def test_chosen_widths_only_and_progress_to_the_end(model: NestedEmbeddings) -> None:
    told: list[tuple[int, int]] = []
    found = evaluate(
        model, interactions({"ann": ["ale"], "bob": ["ale"]}), widths=[1], progress=lambda *done: told.append(done)
    )
    assert [figures.width for figures in found.widths] == [1]
    assert told[-1] == (2, 2)


def test_read_only_vectors_are_ranked(model: NestedEmbeddings) -> None:
    """A model that is mapped from a file cannot be written to."""
    held_out = interactions({"ann": ["ale"], "bob": ["jam"]})
    expected = evaluate(model, held_out).as_dict()
    for array in (model.user_embeddings, model.item_embeddings, model.seen.indices, model.seen.indptr):
        array.flags.writeable = False
    assert evaluate(model, held_out).as_dict() == expected
    assert evaluate(model.at(1), held_out).as_dict()["widths"] == expected["widths"][:1]


def test_nothing_held_out_is_refused(model: NestedEmbeddings) -> None:
    with pytest.raises(DataError, match="there are no held-out interactions to evaluate on"):
        evaluate(model, interactions({"ann": []}, items=["ale"]))


def test_only_strangers_are_refused_with_an_example(model: NestedEmbeddings) -> None:
    with pytest.raises(DataError, match=r"none of the 2 users.*'kim', 'lee'.*'ann'.*user_column"):
        evaluate(model, interactions({"kim": ["ale"], "lee": ["jam"], "ann": []}))


def test_only_unknown_items_are_refused_with_examples_of_both_sides(model: NestedEmbeddings) -> None:
    """All figures would be 0: the column is another one, or the ids are of another export."""
    with pytest.raises(DataError, match=r"none of the 2 items.*'p1', 'p2'.*'ale'.*item_column"):
        evaluate(model, interactions({"ann": ["p1"], "bob": ["p2"]}))


def test_swapped_columns_are_recognised(model: NestedEmbeddings) -> None:
    with pytest.raises(DataError, match="swapped"):
        evaluate(model, interactions({"ale": ["ann"], "jam": ["bob"]}))


def test_metrics_over_warm_users_are_reported_too(model: NestedEmbeddings) -> None:
    """Of three users one is unknown; ann's second item is unknown and stays in her denominator."""
    held_out = interactions({"ann": ["ale", "new"], "bob": ["ale"], "stranger": ["ale"]})
    found = evaluate(model, held_out, cutoffs=[1])
    assert (found.n_users, found.n_known_users, found.is_known.tolist()) == (3, 2, [True, True, False])
    figures = found.at(1)
    assert figures.of_users("recall@1").tolist() == [0.5, 1.0, 0.0]
    assert (figures.means["recall@1"], figures.known_means["recall@1"]) == (0.5, 0.75)
    low, high = figures.known_intervals["recall@1"]
    assert 0.5 <= low <= 0.75 <= high <= 1.0
    told = found.as_dict()
    assert (told["users"], told["known_users"], told["interactions"]) == (3, 2, 4)
    assert told["widths"][0]["known_users"]["recall@1"] == 0.75
    assert told["widths"][0]["known_users"]["intervals"]["recall@1"] == [low, high]


def test_where_all_users_are_known_both_figures_are_the_same(model: NestedEmbeddings) -> None:
    found = evaluate(model, interactions({"ann": ["ale"], "bob": ["jam"]}))
    assert found.n_known_users == found.n_users == 2
    assert found.at(2).known_means == found.at(2).means
    assert found.at(2).known_intervals == found.at(2).intervals


def test_the_training_data_as_test_data_are_refused(model: NestedEmbeddings) -> None:
    """The wrong file was given: nothing of it is ever ranked, so all figures were 0."""
    with pytest.raises(DataError, match=f"all {model.seen.n_interactions} test interactions are training interactions"):
        evaluate(model, model.seen)


@pytest.mark.parametrize(("n_seen", "warns"), [(1, True), (0, False)])
def test_a_large_share_of_training_interactions_is_a_warning(model: NestedEmbeddings, n_seen: int, warns: bool) -> None:
    """A tenth and more; with its share."""
    held_out = interactions({"ann": [*["jam"][:n_seen], "ale", "rye"], "bob": ["ale", "jam"]})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = evaluate(model, held_out)
    assert [issubclass(warning.category, DataWarning) for warning in caught] == [True] * warns
    assert ("20%" in str(found.warning())) == warns


@pytest.mark.parametrize("cutoffs", [[], [0, 5], [2.5], ["10"]])
def test_bad_cutoffs_are_refused(model: NestedEmbeddings, cutoffs: list[int]) -> None:
    with pytest.raises(OptionError, match="cutoffs must be"):
        evaluate(model, interactions({"ann": ["ale"]}), cutoffs=cutoffs)


def test_widths_samples_and_threads_are_checked(model: NestedEmbeddings) -> None:
    held_out = interactions({"ann": ["ale"]})
    with pytest.raises(OptionError, match="width 3 was not trained; choose one of 1, 2"):
        evaluate(model, held_out, widths=[3])
    with pytest.raises(OptionError, match="widths must name at least one"):
        evaluate(model, held_out, widths=[])
    with pytest.raises(OptionError, match="bootstrap_samples must be"):
        evaluate(model, held_out, bootstrap_samples=-1)
    with pytest.raises(OptionError, match="threads must be"):
        evaluate(model, held_out, threads=0)
    found = evaluate(model, held_out)
    with pytest.raises(OptionError, match="width 3 was not evaluated; choose one of 1, 2"):
        found.at(3)
    with pytest.raises(OptionError, match="'auc' was not evaluated; choose one of recall@10, "):
        found.at(1).of_users("auc")

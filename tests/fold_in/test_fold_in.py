"""Folding in: what holds for every model, by training of every kind, and how well it does in a world with structure."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from nestrec import BPR, Interactions, LightGCN, NestedEmbeddings, Run, SyntheticData, Trainer, Widths
from nestrec.baselines.ials import Ials, IalsRotated
from nestrec.baselines.puresvd import PureSvd
from nestrec.data.splitting import select_interactions
from nestrec.errors import DataError, OptionError, UnknownIdError
from nestrec.fold_in.objective import QuadraticObjective, SoftmaxObjective, read_objective

WIDTHS = (4, 8, 16)


@pytest.fixture(scope="module")
def interactions() -> Interactions:
    return SyntheticData(n_users=300, n_items=200).generate(seed=1).interactions


@pytest.fixture(scope="module")
def softmax(interactions: Interactions) -> NestedEmbeddings:
    return Trainer(WIDTHS, epochs=12).fit(interactions, validation=None, run=Run(deterministic=True))


@pytest.fixture(scope="module")
def rotated(softmax: NestedEmbeddings) -> NestedEmbeddings:
    from nestrec.svd_rotation import rotate_embeddings

    users, items = rotate_embeddings(softmax.user_embeddings, softmax.item_embeddings)
    manifest = {**softmax.manifest, "training": {**softmax.manifest["training"], "rotated": True}}
    return replace(softmax, user_embeddings=users, item_embeddings=items, manifest=manifest)


class Models(dict[str, NestedEmbeddings]):
    """Models by name, each trained when it is first asked for."""

    def __init__(self, interactions: Interactions, softmax: NestedEmbeddings, rotated: NestedEmbeddings) -> None:
        super().__init__({"softmax": softmax, "rotated": rotated})
        self._interactions = interactions

    def __missing__(self, name: str) -> NestedEmbeddings:
        data, softmax = self._interactions, self["softmax"]
        if name == "pairs":
            self[name] = Trainer(WIDTHS, loss=BPR(), epochs=4).fit(data, validation=None)
        elif name == "lightgcn":
            self[name] = Trainer(WIDTHS, backbone=LightGCN(), epochs=4).fit(data, validation=None)
        elif name == "ials":
            self[name] = Ials(iterations=3).fit(data, Widths((16,)), Run())
        elif name == "ials-rotated":
            self[name] = IalsRotated(iterations=3).fit(data, Widths(WIDTHS), Run())
        elif name == "puresvd":
            self[name] = PureSvd().fit(data, Widths(WIDTHS), Run())
        else:
            self[name] = NestedEmbeddings.from_arrays(softmax.user_embeddings, softmax.item_embeddings, WIDTHS)
        return self[name]


@pytest.fixture(scope="module")
def models(interactions: Interactions, softmax: NestedEmbeddings, rotated: NestedEmbeddings) -> Models:
    return Models(interactions, softmax, rotated)


NAMES = ["softmax", "rotated", "pairs", "lightgcn", "ials", "ials-rotated", "puresvd", "arrays"]


def some_items(model: NestedEmbeddings, *rows: int) -> list[Any]:
    return list(model.items.ids[list(rows)].tolist())


@pytest.mark.parametrize("name", NAMES)
def test_a_prefix_is_the_fold_in_at_its_width(models: dict[str, NestedEmbeddings], name: str) -> None:
    model = models[name]
    histories = [some_items(model, 3, 50, 7), some_items(model, 11), some_items(model, *range(60, 120))]
    whole = model.fold_in(histories).vectors
    users = [model.users.ids[:5].tolist()]
    whole_item = model.fold_in_items(users).vectors
    for width in model.widths:
        narrow = model.at(width)
        assert np.array_equal(narrow.fold_in(histories).vectors, whole[:, :width])
        assert np.array_equal(narrow.fold_in_items(users).vectors, whole_item[:, :width])


@pytest.mark.parametrize("name", NAMES)
def test_a_vector_depends_neither_on_order_nor_on_others_nor_on_threads(
    models: dict[str, NestedEmbeddings], name: str
) -> None:
    model = models[name]
    one, other = some_items(model, 9, 2, 30, 77), some_items(model, 5, 6)
    alone = model.fold_in(one).vectors
    batch = model.fold_in([other, one[::-1], one + one[:2]], threads=2).vectors
    assert alone.shape == (model.embedding_size,)
    assert np.array_equal(batch[1], alone)
    assert np.array_equal(batch[2], alone)
    assert np.array_equal(model.fold_in(one, threads=1).vectors, alone)


@pytest.mark.parametrize("name", NAMES)
def test_the_history_of_a_user_gives_much_the_same_ranking_as_training(
    models: dict[str, NestedEmbeddings], interactions: Interactions, name: str
) -> None:
    model = models[name]  # its rows are those of the interactions, by other ids for vectors made elsewhere
    rows = np.split(interactions.indices, interactions.indptr[1:-1])
    folded = model.fold_in([model.items.ids[own] for own in rows]).rows @ model.item_embeddings.T
    trained = model.user_embeddings @ model.item_embeddings.T
    alike = [np.corrcoef(one, other)[0, 1] for one, other in zip(folded, trained, strict=True) if one.std() > 0]
    assert np.mean(alike) > 0.6


def test_ials_in_one_block_is_the_solution_of_the_library(models: dict[str, NestedEmbeddings]) -> None:
    model = models["ials"]
    alpha, l2 = (model.manifest["baseline"]["options"][name] for name in ("alpha", "regularization"))
    items = model.item_embeddings.astype(float)
    rows = [3, 40, 90]
    own = items[rows]
    system = items.T @ items + (alpha - 1) * own.T @ own + l2 * np.eye(16)
    expected = np.linalg.solve(system, alpha * own.sum(axis=0))
    np.testing.assert_allclose(model.fold_in(some_items(model, *rows)).vectors, expected, rtol=1e-3, atol=1e-5)


def test_users_who_were_hidden_rank_about_as_well_as_when_trained(interactions: Interactions) -> None:
    rng = np.random.default_rng(5)
    rows = np.repeat(np.arange(interactions.n_users), np.diff(interactions.indptr))
    hidden, kept = rows % 5 == 0, rng.random(len(rows)) < 0.5
    run, trainer = Run(deterministic=True), Trainer(WIDTHS, epochs=12)
    trained = trainer.fit(select_interactions(interactions, ~hidden | kept), validation=None, run=run)
    base = trainer.fit(select_interactions(interactions, ~hidden), validation=None, run=run)
    history, rest = (select_interactions(interactions, hidden & half) for half in (kept, ~kept))
    known = set(base.items.ids.tolist()) & set(trained.items.ids.tolist())
    found, expected = [], []
    for row in np.unique(rows[hidden & kept]):
        name = interactions.users.ids[row]
        own = [i for i in history.items.ids[history.indices[slice(*history.indptr[row : row + 2])]] if i in known]
        held = {i for i in rest.items.ids[rest.indices[slice(*rest.indptr[row : row + 2])]].tolist() if i in known}
        if own and held:
            found.append(len(held & set(base.recommend_for(own, k=20).ids.tolist())) / len(held))
            expected.append(len(held & set(trained.recommend(name, k=20).ids.tolist())) / len(held))
    assert np.mean(found) > 0.9 * np.mean(expected)


def test_only_ratios_of_weights_matter_and_greater_weight_pulls_harder(softmax: NestedEmbeddings) -> None:
    items = some_items(softmax, 3, 60, 140)
    plain = softmax.fold_in(items).vectors
    np.testing.assert_allclose(softmax.fold_in(items, [2, 2, 2]).vectors, plain, rtol=1e-3, atol=1e-4)
    heavy = softmax.fold_in({"a": items}, {"a": [1, 1, 9]}).vectors[0]
    last = softmax.item_embeddings[140]
    assert heavy @ last > plain @ last
    repeated = softmax.fold_in([*items, items[2]], [1, 1, 4, 5]).vectors
    assert np.array_equal(repeated, heavy)


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_history_gets_the_mean_user(models: dict[str, NestedEmbeddings], name: str) -> None:
    model = models[name]
    several: list[Any] = [[], [[]], {"ann": []}]
    for empty in several:
        vector = model.fold_in(empty).rows[0]
        np.testing.assert_allclose(vector, model.user_embeddings.mean(axis=0), rtol=1e-4, atol=1e-5)
    assert len(model.recommend_for([], k=5).ids) == 5
    assert model.fold_in({}).vectors.shape == (0, model.embedding_size)


@pytest.mark.parametrize("name", NAMES)
def test_a_history_of_every_item_leaves_nothing_to_recommend(models: dict[str, NestedEmbeddings], name: str) -> None:
    model = models[name]
    assert np.isfinite(model.fold_in(model.items.ids).vectors).all()
    assert len(model.recommend_for(model.items.ids).ids) == 0
    assert len(model.recommend_for(model.items.ids, exclude_seen=False).ids) == 10


def test_a_very_long_history_is_folded_in(softmax: NestedEmbeddings) -> None:
    many = np.tile(softmax.items.ids, 500)
    assert np.array_equal(softmax.fold_in(many).vectors, softmax.fold_in(softmax.items.ids).vectors)


def test_unknown_ids_raise_or_are_left_out_and_reported(softmax: NestedEmbeddings) -> None:
    items = some_items(softmax, 1, 2)
    with pytest.raises(UnknownIdError, match="unknown to the model"):
        softmax.fold_in([*items, "nobody-knows"])
    found = softmax.fold_in({"ann": [*items, "nobody-knows"]}, unknown="skip")
    assert (found.skipped.tolist(), found.ids.tolist()) == (["nobody-knows"], ["ann"])
    assert np.array_equal(found.vectors[0], softmax.fold_in(items).vectors)
    ranking = softmax.recommend_for({"ann": [*items, "x"]}, deny=["y"], unknown="skip")
    assert ranking.skipped_items.tolist() == ["x", "y"]
    assert softmax.fold_in(["x"], unknown="skip").skipped.tolist() == ["x"]


def test_histories_of_unknown_ids_alone_are_left_out(softmax: NestedEmbeddings) -> None:
    """They got the vector of the mean user, as an empty history does, and its list."""
    items = some_items(softmax, 1, 2)
    histories = {"ann": ["x", "y"], "bob": items, "cid": []}
    with pytest.raises(UnknownIdError, match="'x', 'y'"):
        softmax.fold_in(histories)
    found = softmax.fold_in(histories, {"ann": [1, 2], "bob": [1, 1], "cid": []}, unknown="skip")
    assert (found.ids.tolist(), found.skipped_histories.tolist()) == (["bob", "cid"], ["ann"])
    assert np.array_equal(found.vectors, softmax.fold_in([items, []]).vectors)
    ranking = softmax.recommend_for(histories, 2, allow=[items, some_items(softmax, 3, 4), items], unknown="skip")
    assert (ranking.queries.tolist(), ranking.skipped.tolist()) == (["bob", "cid"], ["ann"])
    assert sorted(ranking.ids[0].tolist()) == sorted(some_items(softmax, 3, 4))
    alone = softmax.fold_in(["x"], unknown="skip")
    assert alone.rows.shape == (0, softmax.embedding_size)
    assert softmax.recommend_for(["x"], unknown="skip").ids.tolist() == []
    assert softmax.with_users(histories, unknown="skip").n_users == softmax.n_users + 2


def test_recommend_for_filters_as_recommend_does(softmax: NestedEmbeddings) -> None:
    own, allowed = some_items(softmax, 4, 5), some_items(softmax, 1, 2, 3, 4, 5)
    ids, scores = softmax.recommend_for(own, k=9, width=8, allow=allowed, deny=allowed[:1])
    assert sorted(ids.tolist()) == sorted(allowed[1:3])
    assert (np.diff(scores) <= 0).all()
    vector = softmax.fold_in(own).at(8)
    np.testing.assert_allclose(scores, softmax.item_embeddings[softmax.items.index_of(ids), :8] @ vector, rtol=1e-5)
    many = softmax.recommend_for({"ann": own, "bob": []}, k=3)
    assert many.queries.tolist() == ["ann", "bob"]
    assert many.ids[0].tolist() == softmax.recommend_for(own, k=3).ids.tolist()


@pytest.mark.parametrize(
    ("histories", "weights", "error"),
    [
        ("318", None, OptionError),
        (318, None, OptionError),
        (None, None, OptionError),
        ([["a"], 3], None, OptionError),
        ({1: [0], "1": [0]}, None, OptionError),
        ([None], None, DataError),
        ([1.5], None, DataError),
        (["i"], [0.0], OptionError),
        (["i"], [-1.0], OptionError),
        (["i"], [math.nan], OptionError),
        (["i"], [math.inf], OptionError),
        (["i"], [1.0, 2.0], OptionError),
        (["i"], "x", OptionError),
        (["i"], 3, OptionError),
        ({"a": ["i"]}, {"b": [1.0]}, OptionError),
        ({"a": ["i"]}, [[1.0, 2.0]], OptionError),
    ],
)
def test_other_input_is_an_error_of_nestrec(
    softmax: NestedEmbeddings, histories: Any, weights: Any, error: type[Exception]
) -> None:
    one = softmax.items.ids[0]

    def known(value: Any) -> Any:
        return [one if item == "i" else item for item in value] if isinstance(value, list) else value

    if isinstance(histories, dict):
        histories = {name: known(value) for name, value in histories.items()}
    with pytest.raises(error):
        softmax.fold_in(known(histories), weights)


@pytest.mark.parametrize(
    "manifest",
    [
        {},
        {"training": None},
        {"training": {"options": 3}},
        {"training": {"options": {"loss": 5, "widths": "4", "regularization": [1]}}},
        {"baseline": {"name": "ials", "options": {"alpha": "many", "regularization": None}}},
        {"baseline": {"name": ["ials"]}},
    ],
)
def test_a_manifest_of_another_shape_is_one_of_unknown_training(
    softmax: NestedEmbeddings, manifest: dict[str, Any]
) -> None:
    model = replace(softmax, manifest=manifest)
    assert read_objective(manifest, model.widths, model.user_embeddings, 9.0) == QuadraticObjective(10.0, None)
    assert np.isfinite(model.fold_in(some_items(model, 1, 2)).vectors).all()


@pytest.mark.parametrize(
    "changes",
    [
        {"loss": "x"},
        {"loss": "SampledSoftmax(temperature=1e999, coupling=0.3)"},
        {"loss": "SampledSoftmax(temperature=..., coupling=0.3)"},
        {"widths": [5, 8, 16]},
        {"widths": None},
        {"regularization": ["a", 1, 1]},
        {"regularization": [math.nan] * 3},
        {"regularization": [0.1] * 2},
        {"backbone": "LightGCN()"},
    ],
)
def test_options_that_do_not_fit_give_the_softmax_of_other_losses(
    softmax: NestedEmbeddings, changes: dict[str, Any]
) -> None:
    options = {**softmax.manifest["training"]["options"], **changes}
    model = replace(softmax, manifest={"training": {"options": options}})
    found = read_objective(model.manifest, model.widths, model.user_embeddings, 9.0)
    assert isinstance(found, SoftmaxObjective)
    assert found.inverse_temperatures.tolist() == [1.0] * 3
    assert np.isfinite(model.fold_in(some_items(model, 1, 2)).vectors).all()


def test_a_given_temperature_is_that_of_the_model(softmax: NestedEmbeddings) -> None:
    options = {**softmax.manifest["training"]["options"], "loss": "SampledSoftmax(temperature=0.5, coupling=0.3)"}
    found = read_objective({"training": {"options": options}}, softmax.widths, softmax.user_embeddings, 9.0)
    assert isinstance(found, SoftmaxObjective)
    assert found.inverse_temperatures.tolist() == [2.0] * 3


@pytest.mark.parametrize("scale", [0.0, 1e-20, 1e15])
def test_vectors_of_any_size_give_finite_ones(softmax: NestedEmbeddings, scale: float) -> None:
    sized = replace(softmax, item_embeddings=(softmax.item_embeddings * np.float32(scale)))
    arrays = NestedEmbeddings.from_arrays(sized.user_embeddings, sized.item_embeddings, WIDTHS)
    for model in (sized, arrays):
        assert np.isfinite(model.fold_in(some_items(model, 1, 2)).vectors).all()
        assert np.isfinite(model.fold_in_items(model.users.ids[:2]).vectors).all()


def test_a_saved_model_folds_in_alike(softmax: NestedEmbeddings, tmp_path: Any) -> None:
    softmax.save(tmp_path / "model")
    loaded = NestedEmbeddings.load(tmp_path / "model")
    items = some_items(softmax, 1, 2, 3)
    assert np.array_equal(loaded.fold_in(items).vectors, softmax.fold_in(items).vectors)


def test_a_folded_item_scores_like_the_trained_one(softmax: NestedEmbeddings) -> None:
    csc = softmax.seen.to_scipy().tocsc()
    rows = np.argsort(-np.diff(csc.indptr))[:20]
    users = [softmax.users.ids[csc.indices[csc.indptr[row] : csc.indptr[row + 1]]].tolist() for row in rows]
    folded = softmax.fold_in_items(users).vectors @ softmax.user_embeddings.T
    trained = softmax.item_embeddings[rows] @ softmax.user_embeddings.T
    assert np.mean([np.corrcoef(one, other)[0, 1] for one, other in zip(folded, trained, strict=True)]) > 0.9

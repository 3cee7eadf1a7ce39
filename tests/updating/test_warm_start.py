"""The start of an update: vectors stay without news, new rows are near their neighbours, squares have a usual size."""

from __future__ import annotations

import numpy as np

from nestrec.training.cpu_engine import CpuEngine
from nestrec.updating.merging import Removal, merge
from nestrec.updating.warm_start import KnownRows, correct_vectors, load_state
from tests.updating.worlds import QUICK, parts, trained, trainer


def test_without_news_the_vectors_are_those_of_the_model() -> None:
    model = trained()
    users, items = correct_vectors(model, model.seen, KnownRows.match(model, model.seen))
    assert np.array_equal(users, model.user_embeddings)
    assert np.array_equal(items, model.item_embeddings)


def test_a_new_user_starts_near_the_users_with_the_same_items() -> None:
    model = trained()
    history = model.seen.items.ids[model.seen.indices[model.seen.indptr[5] : model.seen.indptr[6]]]
    from nestrec import read_interactions

    new = read_interactions({"user": ["a new one"] * len(history), "item": history.tolist()})
    merged = merge(model.seen, new, Removal(), "raise").interactions
    users, _ = correct_vectors(model, merged, KnownRows.match(model, merged))
    one, other = users[merged.users.index_of(["a new one", model.users.ids[5]])]
    assert np.vecdot(one, other) / (np.linalg.norm(one) * np.linalg.norm(other)) > 0.8


def test_sums_of_squares_are_about_those_of_the_epochs_of_training() -> None:
    """Of the same model after one more epoch, in total and by the number of interactions."""
    model = trained()
    setup = trainer().resolve(model.seen)
    engine = setup.start_engine(QUICK)
    assert isinstance(engine, CpuEngine)
    vectors = model.user_embeddings, model.item_embeddings
    load_state(engine, model.seen, vectors, epochs=1)
    estimated = {name: array.copy() for name, array in engine.state().items()}
    for name in ("users", "items"):
        assert np.array_equal(engine.state()[name][:, :16], dict(zip(("users", "items"), vectors, strict=True))[name])
    engine.user_squares[:] = engine.item_squares[:] = 0
    for start in range(0, engine.n_positives, engine.slice_size):
        engine.train(0, start, min(engine.n_positives, start + engine.slice_size), 1e-6)
    for name in ("user_squares", "item_squares"):
        measured, total = engine.state()[name], estimated[name].sum()
        assert 0.8 < total / measured.sum() < 1.25
        assert np.corrcoef(estimated[name].sum(axis=1), measured.sum(axis=1))[0, 1] > 0.5


def test_news_move_old_vectors_a_little() -> None:
    model, merged = trained(), merge(trained().seen, parts().new, Removal(), "raise").interactions
    known = KnownRows.match(model, merged)
    users, _ = correct_vectors(model, merged, known)
    moved = np.linalg.norm(users[known.users] - model.user_embeddings, axis=1)
    assert 0 < np.median(moved / np.linalg.norm(model.user_embeddings, axis=1)) < 0.5

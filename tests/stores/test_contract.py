"""What every store does: it holds a model's rows, keeps up with them, and returns nestrec's lists and scores."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, OutputError, StoreError
from nestrec.stores import ExportRequest, Store, export, open_store, verify
from nestrec.stores.registry import list_targets
from tests.stores.engines import ENGINES, ODD_IDS, Engine, change, engine_parameters, model_of, with_titles

ROOT = Path(__file__).parents[2]
BOTH = ExportRequest(sides=("items", "users"))
WIDE = ExportRequest(widths=(2, 8))


@pytest.fixture(params=engine_parameters())
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    if found.fixture is not None:
        request.getfixturevalue(found.fixture)
    return found


@pytest.fixture
def folder_engine(engine: Engine) -> Engine:
    if engine.fixture is not None:
        pytest.skip("the store is not a folder")
    return engine


def seen_by(model: NestedEmbeddings, users: Any) -> list[list[Any]]:
    rows = model.users.index_of(users)
    seen = model.seen
    return [model.items.ids_at(seen.indices[seen.indptr[row] : seen.indptr[row + 1]]).tolist() for row in rows]


def stored(store: Store, side: Any = "items") -> dict[Any, int]:
    """Return the fingerprint of every row; an id that is there twice fails."""
    found: dict[Any, int] = {}
    for rows in store.read_rows(side):
        for identity, fingerprint in zip(rows.ids.tolist(), rows.fingerprints.tolist(), strict=True):
            assert identity not in found
            found[identity] = fingerprint
    return found


def test_every_store_is_tested() -> None:
    assert {engine.name for engine in ENGINES.values()} == set(list_targets())


@pytest.mark.parametrize(
    "items",
    [[5, -7, 2**62, 0, -(2**63), 2**53 + 1, *range(100, 140)], [*ODD_IDS, *(f"i{n}" for n in range(40))]],
    ids=["numbers", "text"],
)
@pytest.mark.parametrize("widths", [(8,), (2, 8), (2, 4, 8), (4,)])
def test_lists_and_scores_are_nestrec_s(
    engine: Engine, items: list[Any], widths: tuple[int, ...], tmp_path: Path
) -> None:
    """With a shortlist of all items a search of any stages is that of the last width."""
    model = model_of(items)
    users = model.users.ids[:6]
    with engine.open(tmp_path) as store:
        export(model, store, ExportRequest(widths=(2, 4, 8)))
        queries = model.user_embeddings[:6]
        found = store.search(queries, 5, widths=widths, shortlist=100, exclude=seen_by(model, users), exact=True)
        expected = model.recommend(users, k=5, width=widths[-1], exact=True)
        assert found.ids.tolist() == expected.ids.tolist()
        np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-5, atol=1e-5)
        everything = store.search(queries, 5, widths=widths, shortlist=100, exact=True)
        assert everything.ids.tolist() == model.recommend(users, k=5, width=widths[-1], exclude_seen=False).ids.tolist()


def test_the_first_stage_decides_and_leaves_excluded_items_out(engine: Engine, tmp_path: Path) -> None:
    """A shortlist holds that many items that are left, and none that is excluded."""
    model = model_of(60)
    user, vectors = model.user_embeddings[0], model.item_embeddings
    by_prefix = np.argsort(-(vectors[:, :2] @ user[:2]), kind="stable")
    excluded, left = by_prefix[:7], by_prefix[7:14]
    expected = left[np.argsort(-(vectors[left] @ user), kind="stable")]
    with engine.open(tmp_path) as store:
        export(model, store, WIDE)
        found = store.search([user], 7, widths=(2, 8), shortlist=7, exclude=[excluded.tolist()], exact=True)
    assert found.ids[0].tolist() == expected.tolist()


def test_fewer_items_than_k_are_padded(engine: Engine, tmp_path: Path) -> None:
    model = model_of(5)
    with engine.open(tmp_path) as store:
        export(model, store, WIDE)
        found = store.search(model.user_embeddings[:3], 8, exclude=[[0, 1], [], [0, 1, 2, 3, 4]])
    assert (found.scores > -np.inf).sum(axis=1).tolist() == [3, 5, 0]
    assert found.ids.shape == (3, 8)
    assert set(found.ids[0, :3].tolist()) == {2, 3, 4}


def test_unknown_and_foreign_ids_may_be_excluded(engine: Engine, tmp_path: Path) -> None:
    model = model_of(5)
    with engine.open(tmp_path) as store:
        export(model, store, WIDE)
        found = store.search(model.user_embeddings[:2], 5, exclude=[["3", "nobody's"], [99]])
    assert sorted(found.ids[0, :4].tolist()) == [0, 1, 2, 4]
    assert sorted(found.ids[1].tolist()) == [0, 1, 2, 3, 4]


def test_a_second_export_writes_nothing(engine: Engine, tmp_path: Path) -> None:
    model = with_titles(model_of([*ODD_IDS, *(f"i{n}" for n in range(40))]))
    with engine.open(tmp_path) as store:
        first = export(model, store, BOTH)
        assert first.changed
        assert [side.n_new for side in first.sides] == [model.n_items, model.n_users]
    with engine.open(tmp_path) as store:
        before, metadata = stored(store), store.metadata
        second = export(model, store, BOTH)
        assert not second.changed
        assert [side.n_unchanged for side in second.sides] == [model.n_items, model.n_users]
        assert (stored(store), store.metadata) == (before, metadata)
        assert set(before) == set(model.items.ids.tolist())
        assert len(stored(store, "users")) == model.n_users


@pytest.mark.parametrize("since", [False, True], ids=["compared with the store", "changed_since"])
def test_an_update_writes_what_changed_and_deletes_what_is_gone(engine: Engine, since: bool, tmp_path: Path) -> None:
    earlier = model_of(50)
    later = change(earlier)
    with engine.open(tmp_path) as store:
        export(earlier, store, WIDE)
        request = ExportRequest(widths=(2, 8), changed_since=earlier if since else None)
        counts = export(later, store, request).sides[0]
        assert (counts.n_new, counts.n_changed, counts.n_gone, counts.n_unchanged) == (2, 2, 1, 47)
        assert set(stored(store)) == set(later.items.ids.tolist())
        found = store.search(later.user_embeddings, 5, widths=(8,), exact=True)
        assert found.ids.tolist() == later.recommend(later.users.ids, k=5, exact=True).ids.tolist()
        again = export(later, store, request)
        assert not again.changed
        assert verify(later, store, n_users=10).n_stale == 0


def test_items_may_only_go_and_all_of_them_too(engine: Engine, tmp_path: Path) -> None:
    model = with_titles(model_of(30))
    with engine.open(tmp_path) as store:
        export(model, store, WIDE)
        for n_left, where in ((10, "year < 2000"), (0, "year > 3000"), (10, "year < 2000")):
            counts = export(model, store, ExportRequest(widths=(2, 8), where=where)).sides[0]
            assert counts.n_new + counts.n_unchanged == n_left
            assert len(stored(store)) == n_left
            found = store.search(model.user_embeddings[:2], 3, exact=True)
            assert int((found.scores > -np.inf).sum()) == 2 * min(3, n_left)


def test_changed_since_another_model_is_refused(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        export(model_of(20), store, WIDE)
        with pytest.raises(OptionError, match="changed_since"):
            export(model_of(20, seed=2), store, ExportRequest(widths=(2, 8), changed_since=model_of(20, seed=1)))


def test_titles_and_columns_are_part_of_the_rows(engine: Engine, tmp_path: Path) -> None:
    """A title that changes is written; an item without a row of the table has none."""
    model = with_titles(model_of(20))
    titles = ["" if n == 0 else f"Tïtle {n}" for n in range(19)] + ["now titled"]
    table = {"id": list(range(20)), "title": titles}
    with engine.open(tmp_path) as store:
        export(model, store, WIDE)
        layout = store.layout.side("items")
        assert layout.title_column == "title"
        assert layout.columns["genres"] == "VARCHAR[]"
        with pytest.raises(OutputError, match="columns"):
            export(model.with_item_table(table), store, WIDE)
        export(model.with_item_table(table), store, ExportRequest(widths=(2, 8), overwrite=True))
        titles[3] = "another"
        counts = export(model.with_item_table(table), store, WIDE).sides[0]
        assert (counts.n_changed, counts.n_unchanged) == (1, 19)


def test_a_condition_chooses_the_items(engine: Engine, tmp_path: Path) -> None:
    model = with_titles(model_of(40))
    with engine.open(tmp_path) as store:
        export(model, store, ExportRequest(widths=(2, 8), where="year < 2000"))
        chosen = set(model.item_table.select("year < 2000").tolist()) if model.item_table else set()
        assert set(stored(store)) == chosen
        report = verify(model, store, n_users=10)
        assert (report.different, report.n_stale) == ((), 0)
        assert export(model, store, WIDE).sides[0].n_new == 40 - len(chosen)


def test_another_layout_needs_overwrite(engine: Engine, tmp_path: Path) -> None:
    model = model_of(20)
    with engine.open(tmp_path) as store:
        export(model, store, WIDE)
        with pytest.raises(OutputError, match="widths 2, 8, not 4, 8"):
            export(model, store, ExportRequest(widths=(4, 8)))
        assert export(model, store, ExportRequest(widths=(4, 8), overwrite=True)).sides[0].n_new == 20
        assert store.metadata.layout.widths == (4, 8)
        assert store.search(model.user_embeddings[:1], 3).ids.shape == (1, 3)


KILLED = """
import os, sys
from pathlib import Path
from tests.stores.engines import ENGINES, model_of, with_titles
from nestrec.stores import ExportRequest, export

store = ENGINES[sys.argv[1]].open(Path(sys.argv[2]))
type(store).batch_rows = 30
request = ExportRequest(sides=("items", "users"), widths=(2, 8))
export(with_titles(model_of(100)), store, request, progress=lambda done, _: os._exit(9) if done >= 60 else None)
"""


def test_an_export_that_is_killed_is_continued(engine: Engine, tmp_path: Path) -> None:
    """Without a row twice, and without a gap; until then a search is refused."""
    path = os.pathsep.join([str(ROOT), str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    key = next(key for key, one in ENGINES.items() if one is engine)
    words = [sys.executable, "-c", KILLED, key, str(tmp_path)]
    killed = subprocess.run(words, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert killed.returncode == 9, killed.stderr
    model = with_titles(model_of(100))
    with engine.open(tmp_path) as store:
        with pytest.raises(StoreError, match="did not end"):
            store.search(model.user_embeddings[:1])
        counts = export(model, store, ExportRequest(sides=("items", "users"), widths=(2, 8))).sides
        assert counts[0].n_new + counts[0].n_unchanged == 100
        assert counts[1].n_new + counts[1].n_unchanged == 30
        assert set(stored(store)) == set(range(100))
        report = verify(model, store)
        assert (report.different, report.n_stale) == ((), 0)


class StoppedError(Exception):
    """Raised in place of a kill."""


def stop_at(store: Store, step: int) -> None:
    """Let a store raise before its call number step / 2, or after it where step is odd."""
    n_calls = 0

    def stopping(call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapper(*arguments: Any) -> Any:
            nonlocal n_calls
            n_calls += 1
            if step == 2 * n_calls - 2:
                raise StoppedError
            result = call(*arguments)
            if step == 2 * n_calls - 1:
                raise StoppedError
            return result

        return wrapper

    for name in ("create", "write", "delete", "build_index", "save_metadata"):
        vars(store)[name] = stopping(getattr(store, name))


@pytest.mark.parametrize("widths", [(2, 8), (4, 8)], ids=["update", "replacement"])
def test_an_export_that_stops_at_any_step_is_continued(
    engine: Engine, widths: tuple[int, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before or after any call; the next run of the same command brings the store to the rows of the model."""
    if engine.name == "faiss" and engine.options:
        pytest.skip("rows are kept as with a flat index, which is tested")
    earlier, later = model_of(30, n_users=5), change(model_of(30, n_users=5))
    request, stops = ExportRequest(widths=widths, overwrite=widths != (2, 8)), 0
    for step in range(40):
        with engine.open(tmp_path) as store:
            monkeypatch.setattr(type(store), "batch_rows", 20)
            export(earlier, store, ExportRequest(widths=(2, 8), overwrite=True))
        with engine.open(tmp_path) as store:
            stop_at(store, step)
            try:
                export(later, store, request)
            except StoppedError:
                stops += 1
            else:
                break
        with engine.open(tmp_path) as store:
            export(later, store, request)
            report = verify(later, store, n_users=5)
            assert (report.different, report.n_stale, len(stored(store))) == ((), 0, 31), f"stopped at {step}"
            assert store.metadata.writing is None
    assert stops >= 8


def test_verify_finds_what_differs(engine: Engine, tmp_path: Path) -> None:
    """Lists of another model's vectors; it names the users."""
    with engine.open(tmp_path) as store:
        export(model_of(60, seed=1), store, WIDE)
        report = verify(model_of(60), store, n_users=20)
        assert report.n_users == 20
        assert len(report.different) == 20
        assert report.n_stale == 60
        with pytest.raises(StoreError, match="60 differ"):
            report.check(0.0)


def test_the_recommended_search_reaches_its_recall(engine: Engine, tmp_path: Path) -> None:
    model = model_of(200, n_users=25)
    with engine.open(tmp_path) as store:
        report = export(model, store)
        best = model.recommend(model.users.ids, k=10, exact=True).ids
        for point in report.operating_points:
            found = store.search(
                model.user_embeddings,
                10,
                widths=point.widths,
                shortlist=point.shortlist,
                exclude=seen_by(model, model.users.ids),
                exact=True,
            ).ids
            recall = np.mean([np.isin(one, two).mean() for one, two in zip(best, found, strict=True)])
            assert recall == pytest.approx(point.recall, abs=1e-9)
            assert point.recall >= point.target


def test_a_place_of_something_else_is_refused(folder_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / "mine.txt").write_text("mine")
    with folder_engine.open(tmp_path) as store, pytest.raises(OutputError, match="must be empty"):
        export(model_of(5), store, ExportRequest(overwrite=True))
    assert [path.name for path in tmp_path.rglob("*")] == ["store", "mine.txt"]


def test_two_exports_at_once_are_refused(folder_engine: Engine, tmp_path: Path) -> None:
    model = model_of(5)
    with folder_engine.open(tmp_path) as first, folder_engine.open(tmp_path) as second:
        with first.locked(), pytest.raises(OutputError, match="another export"):
            export(model, second, WIDE)
        export(model, second, WIDE)
        assert len(stored(second)) == 5


def test_a_file_in_place_of_a_folder_is_refused(folder_engine: Engine, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("mine")
    with folder_engine.open(tmp_path) as store, pytest.raises(OutputError, match="must be a folder"):
        export(model_of(5), store, ExportRequest(overwrite=True))
    assert (tmp_path / "store").read_text() == "mine"


def test_a_place_without_a_store_is_an_error(engine: Engine, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store, pytest.raises(StoreError, match="there is none"):
        store.search([[0.0] * 8])
    assert list(tmp_path.iterdir()) == []


def test_a_store_in_a_folder_says_what_it_is(folder_engine: Engine, tmp_path: Path) -> None:
    model = model_of(5)
    with folder_engine.open(tmp_path) as store:
        export(model, store, WIDE)
    with open_store(folder_engine.place(tmp_path)) as found:
        assert found.name == folder_engine.name
        assert (
            found.search(model.user_embeddings[:1], 2).ids.tolist()
            == model.recommend(["u0"], 2, exclude_seen=False).ids.tolist()
        )


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"widths": (4, 8)}, "widths must ascend and be among the stored ones, 2, 8"),
        ({"widths": (8, 2)}, "widths must ascend"),
        ({"widths": ()}, "widths must ascend"),
        ({"shortlist": 0}, "shortlist must be 1 or more"),
        ({"shortlist": (5, 5)}, "shortlist must be"),
        ({"k": 0}, "k must be 1 or more"),
        ({"exclude": [[1], [2]]}, "exclude must have a list"),
    ],
)
def test_mistakes_of_a_search(engine: Engine, arguments: dict[str, Any], sentence: str, tmp_path: Path) -> None:
    with engine.open(tmp_path) as store:
        export(model_of(5), store, WIDE)
        with pytest.raises(OptionError, match=sentence):
            store.search([[0.0] * 8], **{"k": 3, **arguments})

"""The item table of a model: titles, conditions, copies."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest

from nestrec import NestedEmbeddings, Vocabulary
from nestrec.errors import DataError, ModelFileError, OptionError, UnknownIdError
from nestrec.item_table.item_table import ItemTable

N = 2_500
TITLES = [f"Title {place} é" if place % 7 else None for place in range(N)]


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    rng = np.random.default_rng(0)
    users, items = (rng.normal(size=(n, 4)).astype(np.float32) for n in (5, N))
    made = NestedEmbeddings.from_arrays(users, items, [2, 4], items=[f"i{place:05d}" for place in range(N)])
    return made.with_item_table({"id": made.items.ids.tolist(), "title": TITLES, "price": list(range(N))})


def table_of(model: NestedEmbeddings) -> ItemTable:
    assert model.item_table is not None
    return model.item_table


def expected(rows: list[int]) -> list[str]:
    return [TITLES[row] or "" for row in rows]


def test_few_titles_and_many_are_the_same(model: NestedEmbeddings) -> None:
    table = table_of(pickle.loads(pickle.dumps(model)))
    rows = np.array([[3, 7], [N - 1, -1]])
    few = table.titles_at(rows).tolist()
    assert few == [expected([3, 7]), [*expected([N - 1]), ""]]
    assert table.titles(model.items.ids).tolist() == expected(list(range(N)))
    assert table.titles_at(rows).tolist() == few


def test_titles_are_by_id_in_the_shape_given(model: NestedEmbeddings) -> None:
    table = table_of(model)
    assert str(table.titles("i00003")) == "Title 3 é"
    assert table.titles([["i00003"]]).tolist() == [["Title 3 é"]]
    with pytest.raises(UnknownIdError):
        table.titles(["nothere"])


def test_a_ranking_has_the_titles_of_its_answers(model: NestedEmbeddings) -> None:
    ranking = model.recommend([0, 1], k=3)
    assert ranking.titles is not None
    rows = model.items.index_of(ranking.ids)
    assert ranking.titles.tolist() == [expected(row) for row in rows.tolist()]
    frame = ranking.to_polars()
    assert frame.columns == ["query", "id", "rank", "score", "title"]
    assert frame["title"].to_list() == [TITLES[row] for row in rows.ravel().tolist()]
    single = model.similar_items("i00000", k=2)
    assert single.titles is not None
    assert single.titles.shape == (2,)
    assert model.similar_users(0, k=2).titles is None


def test_padding_has_no_title(model: NestedEmbeddings) -> None:
    ranking = model.recommend([0], k=3, where="price = 8")
    assert ranking.titles is not None
    assert ranking.titles.tolist() == [["Title 8 é", "", ""]]
    assert ranking.answer_titles() is not None
    assert len(ranking.to_polars()) == 1


@pytest.mark.parametrize("width", [2, 4])
def test_a_condition_is_an_allow_list(model: NestedEmbeddings, width: int) -> None:
    where, allow = "price between 10 and 900", list(range(500, 1000))
    ids = [f"i{place:05d}" for place in range(10, 901)]
    names = [f"i{place:05d}" for place in allow]
    for find in (model.recommend, model.similar_items):
        queries = [0, 3] if find == model.recommend else ["i00011", "i02000"]
        by_condition, by_list = find(queries, 9, width, where=where), find(queries, 9, width, allow=ids)
        np.testing.assert_array_equal(by_condition.ids, by_list.ids)
        np.testing.assert_array_equal(by_condition.scores, by_list.scores)
        both = find(queries, 9, width, where=where, allow=names, deny=["i00700"])
        left = [one for one in names if one in ids and one != "i00700"]
        np.testing.assert_array_equal(both.ids, find(queries, 9, width, allow=left).ids)
    own = {0: names, 3: ["i00020", "i01000"]}
    ranking = model.recommend([0, 3], 3, width, where=where, allow=own)
    np.testing.assert_array_equal(
        ranking.ids[0], model.recommend(0, 3, width, allow=[n for n in names if n in ids]).ids
    )
    assert ranking.ids[1].tolist() == ["i00020", "", ""]


def test_a_condition_serves_new_users_too(model: NestedEmbeddings) -> None:
    ranking = model.recommend_for(["i00001", "i00002"], 5, where="price < 4")
    assert set(ranking.ids.tolist()) == {"i00000", "i00003"}
    assert ranking.titles is not None


def test_a_condition_that_nothing_meets_gives_an_empty_ranking(model: NestedEmbeddings) -> None:
    assert model.recommend(0, where="price < 0").ids.tolist() == []
    assert model.recommend([0], k=2, where="price < 0").n_unanswered == 1


def test_a_model_without_item_table_says_how_to_attach_one(model: NestedEmbeddings) -> None:
    plain = model.with_item_table(None)
    assert plain.recommend(0, k=2).titles is None
    with pytest.raises(OptionError, match=r"where needs an item table.*with_item_table"):
        plain.recommend(0, where="price < 4")


def test_a_table_without_titles_filters(model: NestedEmbeddings) -> None:
    untitled = model.with_item_table({"id": ["i00001"], "price": [3]})
    assert untitled.recommend(0, where="price = 3").ids.tolist() == ["i00001"]
    assert untitled.recommend(0).titles is None
    with pytest.raises(OptionError, match=r"no column of titles.*title_column"):
        table_of(untitled).titles("i00001")


def test_a_truncated_model_and_a_saved_one_have_the_table(model: NestedEmbeddings, tmp_path: Path) -> None:
    model.at(2).save(tmp_path / "m")
    loaded = NestedEmbeddings.load(tmp_path / "m")
    assert table_of(loaded).titles(["i00003"]).tolist() == ["Title 3 é"]
    assert table_of(loaded).description == table_of(model).description
    assert (tmp_path / "m" / "items.parquet").exists()
    loaded.with_item_table(None).save(tmp_path / "m", overwrite=True)
    assert not (tmp_path / "m" / "items.parquet").exists()
    again = NestedEmbeddings.load(tmp_path / "m")
    assert again.item_table is None
    assert "item_table" not in again.manifest
    # The table that was loaded before its file was deleted:
    assert table_of(loaded).select("price = 4").tolist() == ["i00004"]
    assert table_of(loaded).titles(loaded.items.ids).tolist() == expected(list(range(N)))


def test_a_model_replaced_after_loading_keeps_its_own_titles(model: NestedEmbeddings, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    loaded = NestedEmbeddings.load(tmp_path / "m")
    others = {"id": model.items.ids.tolist(), "title": ["other"] * N}
    model.with_item_table(others).save(tmp_path / "m", overwrite=True)
    assert table_of(loaded).titles(["i00003"]).tolist() == ["Title 3 é"]
    assert table_of(NestedEmbeddings.load(tmp_path / "m")).titles(["i00003"]).tolist() == ["other"]


def test_a_damaged_table_is_found_and_can_be_left_unread(model: NestedEmbeddings, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    path = tmp_path / "m" / "items.parquet"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ModelFileError, match=r"items.parquet is damaged.*nestrec items"):
        NestedEmbeddings.load(tmp_path / "m")
    assert NestedEmbeddings.load(tmp_path / "m", item_table=False).item_table is None
    path.unlink()
    with pytest.raises(ModelFileError, match=r"items.parquet is missing.*nestrec items"):
        NestedEmbeddings.load(tmp_path / "m")


def test_a_file_that_is_not_the_described_table_is_refused_when_it_is_read(
    model: NestedEmbeddings, tmp_path: Path
) -> None:
    model.save(tmp_path / "m")
    for content in (b"PAR1 no parquet PAR1", (tmp_path / "m" / "embeddings.safetensors").read_bytes()):
        (tmp_path / "m" / "items.parquet").write_bytes(content)
        manifest = json.loads((tmp_path / "m" / "manifest.json").read_text())
        stored = NestedEmbeddings.load(tmp_path / "m", item_table=False)
        assert stored.item_table is None
        assert manifest["item_table"]["n_rows"] == N
        with pytest.raises(ModelFileError):
            table_of(NestedEmbeddings.load(tmp_path / "m", verify=False)).titles("i00003")


def test_reindexing_keeps_the_rows_of_known_items(model: NestedEmbeddings) -> None:
    items = Vocabulary.from_ids(["i00003", "i00700", "new"])
    table = table_of(model).reindex(items)
    assert table.titles(items.ids).tolist() == ["Title 3 é", "", ""]
    assert table.select("price > 0").tolist() == ["i00003", "i00700"]
    found = table.description
    assert (found.n_described, found.n_unknown, found.n_rows) == (2, N - 2, N)


def test_a_table_of_other_items_does_not_fit(model: NestedEmbeddings) -> None:
    other = NestedEmbeddings.from_arrays([[1.0]], [[1.0], [2.0]], [1])
    with pytest.raises(DataError, match="of the model's 2 items"):
        NestedEmbeddings(
            other.user_embeddings, other.item_embeddings, other.widths, other.users, other.items, other.seen,
            item_table=model.item_table,
        )  # fmt: skip


def test_items_that_are_folded_in_have_no_row_until_the_table_is_attached_again(model: NestedEmbeddings) -> None:
    seen = model.with_users({"ann": ["i00003", "i00004"]})
    grown = seen.with_items({"i00003b": ["ann"]})
    assert table_of(grown).titles(["i00003", "i00003b", "i00004"]).tolist() == ["Title 3 é", "", "Title 4 é"]

"""Feeds: what the files say, and what the systems' own clients make of it. No server is run."""

from __future__ import annotations

import json
import re
import warnings
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from nestrec.embeddings import NestedEmbeddings
from nestrec.errors import OptionError, OutputError
from nestrec.export.exporters import make_exporter
from nestrec.stores.feeds import feed as feeds
from nestrec.stores.feeds.elasticsearch import read_score
from nestrec.stores.feeds.redis import escape_tag
from tests.stores.engines import ODD_IDS, model_of, with_titles
from tests.stores.feeds.readers import READERS, read_commands

NAMES = sorted(READERS)


@pytest.fixture
def model() -> NestedEmbeddings:
    return with_titles(model_of([*ODD_IDS, *(f"i{n}" for n in range(60))]))


def write(model: NestedEmbeddings, name: str, folder: Path, **options: Any) -> Path:
    make_exporter(name, **options).export(model, folder / name)
    return folder / name


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / name).read_text(encoding="utf-8"))


def client(module: str) -> Any:
    """Return a client's module; they are installed by make stores."""
    if find_spec(module.partition(".")[0]) is None:
        pytest.skip(f"{module} is not installed; make stores installs it")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip(module)


@pytest.mark.parametrize("name", NAMES)
def test_rows_are_streamed_and_come_back(
    name: str, model: NestedEmbeddings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "ROWS_AT_ONCE", 7)
    ids, vectors = READERS[name](write(model, name, tmp_path, prefix=2))
    assert ids == model.items.ids.tolist()
    np.testing.assert_array_equal(vectors, model.item_embeddings)


@pytest.mark.parametrize("name", NAMES)
def test_the_recommended_prefix_and_shortlist_are_named(name: str, model: NestedEmbeddings, tmp_path: Path) -> None:
    folder = write(model, name, tmp_path)
    point = feeds.describe_feed(model, "items", None).point
    assert f"{point.widths[0]} dimensions, a shortlist of {point.shortlist}" in (folder / "README.md").read_text()
    texts = "".join(path.read_text() for path in folder.rglob("*") if path.suffix in (".json", ".sd", ".py"))
    assert f"vector_{point.widths[0]}" in texts
    assert str(point.shortlist) in texts


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_of_something_else_is_left_alone(name: str, model: NestedEmbeddings, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="earlier feed"):
        make_exporter(name).export(model, tmp_path / name, overwrite=True)
    assert [path.name for path in (tmp_path / name).iterdir()] == ["mine.txt"]


def test_mistakes(model: NestedEmbeddings, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="one of 2, 4, narrower than 8; got 8"):
        write(model, "vespa", tmp_path, prefix=8)
    with pytest.raises(OptionError, match="index"):
        make_exporter("redis", index="Not a name")
    table = {"id": [0, 1], "my genre": ["a", "b"], "my_genre": ["a", "b"]}
    for name in ("vespa", "weaviate"):
        with pytest.raises(OptionError, match="my_genre in"):
            write(model_of(2).with_item_table(table), name, tmp_path)


def test_structures_are_kept_as_json(tmp_path: Path) -> None:
    model = model_of(2).with_item_table({"id": [0, 1], "size": [{"cm": 3}, None]})
    line = (write(model, "vespa", tmp_path) / "documents.jsonl").read_text().splitlines()
    assert json.loads(line[0])["fields"]["size"] == '{"cm": 3}'
    assert "size" not in json.loads(line[1])["fields"]
    source = json.loads((write(model, "elasticsearch", tmp_path) / "bulk.ndjson").read_text().splitlines()[1])
    assert source["size"] == {"cm": 3}
    mapping = load(tmp_path / "elasticsearch", "index.json")["mappings"]["properties"]
    assert mapping["size"] == {"type": "object", "enabled": False}


@pytest.mark.parametrize("product", [-7.5, -0.5, 0.0, 0.25, 12.0])
def test_scores_of_elasticsearch_are_read(product: float) -> None:
    score = 1 / (1 - product) if product < 0 else product + 1
    assert read_score(score) == pytest.approx(product)


def fill_template(source: str, **parameters: Any) -> Any:
    """Return the body of a search template; what Mustache does with these parameters."""
    filled = re.sub(r"\{\{#toJson\}\}(\w+)\{\{/toJson\}\}", lambda found: json.dumps(parameters[found[1]]), source)
    return json.loads(filled.replace("{{k}}{{^k}}10{{/k}}", str(parameters["k"])))


@pytest.mark.parametrize("name", ["elasticsearch", "opensearch"])
def test_a_search_template_is_json_when_it_is_filled(name: str, model: NestedEmbeddings, tmp_path: Path) -> None:
    script = load(write(model, name, tmp_path, prefix=2), "template.json")["script"]
    body = fill_template(script["source"], user_2=[1, 2], user_8=[0.5] * 8, excluded=['a"b', "ö"], k=3)
    assert (body["size"], body["_source"]) == (3, ["id", "title"])
    nearest = body["query"]["script_score"]["query"]["knn"]
    nearest = nearest if name == "elasticsearch" else nearest["vector_2"]
    assert nearest["filter"] == {"bool": {"must_not": {"terms": {"id": ['a"b', "ö"]}}}}
    parameters = body["query"]["script_score"]["script"]["params"]
    assert parameters["user" if name == "elasticsearch" else "query_value"] == [0.5] * 8


def test_the_client_of_elasticsearch_knows_fields_and_query(model: NestedEmbeddings, tmp_path: Path) -> None:
    dsl = client("elasticsearch.dsl")
    folder = write(model, "elasticsearch", tmp_path, prefix=2)
    for field in load(folder, "index.json")["mappings"]["properties"].values():
        options = {name: value for name, value in field.items() if name != "type"}
        assert dsl.field.construct_field(field["type"], **options).to_dict() == field
    source = load(folder, "template.json")["script"]["source"]
    body = fill_template(source, user_2=[1, 2], user_8=[1] * 8, excluded=["a"], k=3)
    assert dsl.Search.from_dict(body).to_dict()["query"]["script_score"]["script"]["params"] == {"user": [1] * 8}


def test_the_client_of_opensearch_knows_fields(model: NestedEmbeddings, tmp_path: Path) -> None:
    fields = client("opensearchpy.helpers.field")
    for field in load(write(model, "opensearch", tmp_path), "index.json")["mappings"]["properties"].values():
        options = {name: value for name, value in field.items() if name != "type"}
        assert fields.construct_field(field["type"], **options).to_dict() == field


def test_pyvespa_writes_the_same_schema(model: NestedEmbeddings, tmp_path: Path) -> None:
    vespa: Any = client("vespa.package")
    folder = write(model, "vespa", tmp_path, prefix=2)
    point = feeds.describe_feed(model, "items", 2).point
    graph = vespa.HNSW(distance_metric="dotproduct", max_links_per_node=16, neighbors_to_explore_at_insert=100)
    kept, wide = ["summary", "attribute"], "tensor<float>(x[8])"
    fields = [
        vespa.Field("own_id", "string", indexing=kept, attribute=["fast-search"], rank="filter"),
        vespa.Field("title", "string", indexing=["summary", "index"]),
        vespa.Field("year", "long", indexing=kept),
        vespa.Field("genres", "array<string>", indexing=kept),
        vespa.Field("vector_2", "tensor<float>(x[2])", indexing=["attribute", "index"], ann=graph),
        vespa.Field("vector_8", wide, indexing=["attribute"], attribute=["paged"]),
    ]
    profile = vespa.RankProfile(
        "two_stage",
        inputs=[("query(user_2)", "tensor<float>(x[2])"), ("query(user_8)", wide)],
        first_phase="sum(query(user_2) * attribute(vector_2))",
        second_phase=vespa.SecondPhaseRanking("sum(query(user_8) * attribute(vector_8))", point.shortlist),
    )
    schema = vespa.Schema("nestrec_items", vespa.Document(fields=fields), rank_profiles=[profile])
    written = (folder / "application" / "schemas" / "nestrec_items.sd").read_text()
    assert written.split() == schema.schema_to_text.split()


def test_the_client_of_weaviate_describes_the_same_collection(model: NestedEmbeddings, tmp_path: Path) -> None:
    config: Any = client("weaviate.collections.classes.config")
    folder, dot = write(model, "weaviate", tmp_path, prefix=2), config.VectorDistances.DOT
    index, make = config.Configure.VectorIndex, config.Configure.Vectors.self_provided
    graph = index.hnsw(distance_metric=dot, max_connections=32, ef_construction=128)
    vectors = [
        make(name="vector_2", vector_index_config=graph),
        make(name="vector_8", vector_index_config=index.flat(distance_metric=dot)),
    ]
    expected = config._CollectionConfigCreate(name="Nestrec_items", vector_config=vectors)._to_dict()
    written = load(folder, "collection.json")
    assert (written["class"], written["vectorConfig"]) == (expected["class"], expected["vectorConfig"])
    kinds = {one.value for one in config.DataType}
    assert {kind for one in written["properties"] for kind in one["dataType"]} <= kinds


def test_the_search_of_weaviate_asks_in_two_stages(model: NestedEmbeddings, tmp_path: Path) -> None:
    client("weaviate.classes.query")
    names: dict[str, Any] = {}
    exec((write(model, "weaviate", tmp_path, prefix=2) / "search.py").read_text(), names)
    calls: list[Any] = []

    def near_vector(vector: list[float], **options: Any) -> Any:
        calls.append((vector, options))
        found = [SimpleNamespace(properties={"own_id": "tea"}, metadata=SimpleNamespace(distance=-2.5))]
        return SimpleNamespace(objects=found)

    query = SimpleNamespace(query=SimpleNamespace(near_vector=near_vector))
    server = SimpleNamespace(collections=SimpleNamespace(get=lambda _: query))
    assert names["search"](server, list(range(8)), k=3, excluded=["jam"]) == [({"own_id": "tea"}, 2.5)]
    assert [call[0] for call in calls] == [[0, 1], list(range(8))]
    assert [call[1]["filters"].value for call in calls] == [["jam"], ["tea"]]


def test_the_client_of_redis_makes_the_same_index(model: NestedEmbeddings, tmp_path: Path) -> None:
    fields: Any = client("redis.commands.search.field")
    folder = write(model, "redis", tmp_path, prefix=2)
    shape = {"TYPE": "FLOAT32", "DIM": 2, "DISTANCE_METRIC": "IP", "M": 16, "EF_CONSTRUCTION": 200}
    expected = [
        fields.TagField("id", separator="\x1f", case_sensitive=True),
        fields.TextField("title"),
        fields.NumericField("year"),
        fields.TagField("genres", separator="\x1f"),
        fields.VectorField("vector_2", "HNSW", shape),
        fields.VectorField("vector_8", "FLAT", {"TYPE": "FLOAT32", "DIM": 8, "DISTANCE_METRIC": "IP"}),
    ]
    words = load(folder, "index.json")
    found = " ".join(str(one) for field in expected for one in field.redis_args()).replace(" WEIGHT 1.0", "")
    assert " ".join(words[words.index("SCHEMA") + 1 :]) == found


def test_the_index_of_redis_is_one_command(model: NestedEmbeddings, tmp_path: Path) -> None:
    folder = write(model, "redis", tmp_path)
    (words,) = read_commands(folder / "index.resp")
    assert [word.decode() for word in words] == load(folder, "index.json")
    deleted, stored = read_commands(folder / "hashes.resp")[:2]
    assert (deleted[0], stored[0], deleted[1]) == (b"DEL", b"HSET", stored[1])
    assert escape_tag("a'b\"c") == "a\\'b\\\"c"

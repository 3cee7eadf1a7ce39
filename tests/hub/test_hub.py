"""A model goes to the Hub and comes back, bit for bit; nothing but a model's own files is fetched, of one commit."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import nestrec
from nestrec import NestedEmbeddings, SyntheticData, Trainer
from nestrec.errors import HubError, MissingExtraError, ModelFileError, OptionError
from nestrec.hub.card import format_card
from tests.hub.stand_in import Hub, serve

huggingface_hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")
REPO = "shop/five-widths"


@pytest.fixture(scope="module")
def model() -> NestedEmbeddings:
    data = SyntheticData(n_users=80, n_items=60, interactions_per_user=10).generate(seed=1).interactions
    return Trainer(widths=(2, 4), epochs=3).fit(data)


def test_a_card_tells_how_many_rows_were_left_out() -> None:
    report = {"source": "a.csv", "n_rows": 1200, "n_kept": 1000, "rejected": {"no user": 200, "no item": 0}}
    manifest = {"widths": [2], "n_users": 1, "n_items": 1, "n_interactions": 1000, "data": {"report": report}}
    card = format_card("a/b", manifest)
    assert "rows read: 1,200; interactions kept: 1,000" in card
    assert "no user: 200" in card
    assert "no item" not in card


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """Let the library speak to the stand-in, as HF_ENDPOINT does before it is imported."""
    with serve() as hub:
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template, raising=False)
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_PROGRESS_BARS", True)
        monkeypatch.setenv("HF_TOKEN", "hf_of_the_tests")
        yield hub


def test_a_model_comes_back_as_it_was_pushed(model: NestedEmbeddings, hub: Hub, tmp_path: Path) -> None:
    address = model.push_to_hub(REPO, licence="apache-2.0")
    assert address.startswith(f"{hub.endpoint}/{REPO}/commit/")
    assert hub.repositories[REPO].private
    again = NestedEmbeddings.from_pretrained(REPO, cache_dir=tmp_path / "other")
    np.testing.assert_array_equal(again.item_embeddings, model.item_embeddings)
    np.testing.assert_array_equal(again.user_embeddings, model.user_embeddings)
    assert again.seen.fingerprint() == model.seen.fingerprint()
    assert again.manifest["training"] == model.manifest["training"]
    _, files = hub.repositories[REPO].files("main") or ("", {})
    assert set(files) == {
        ".gitattributes", "README.md", "manifest.json", "embeddings.safetensors", "vocabularies.safetensors",
        "interactions.safetensors",
    }  # fmt: skip


def test_titles_go_with_the_model(model: NestedEmbeddings, hub: Hub) -> None:
    table = {"id": model.items.ids.tolist(), "title": [f"Title of {one}" for one in model.items.ids.tolist()]}
    titled = model.with_item_table(pd.DataFrame(table))
    titled.push_to_hub(REPO)
    again = NestedEmbeddings.from_pretrained(REPO)
    wanted, found = (one.recommend(one.users.ids[:2], k=3).to_pandas() for one in (titled, again))
    assert found.equals(wanted)
    assert found["title"].str.startswith("Title of ").all()


def test_a_revision_keeps_the_model_of_its_commit(model: NestedEmbeddings, hub: Hub) -> None:
    first = model.push_to_hub(REPO).rpartition("/")[2]
    model.at(2).push_to_hub(REPO)
    assert NestedEmbeddings.from_pretrained(REPO).embedding_size == 2
    assert NestedEmbeddings.from_pretrained(REPO, revision=first).embedding_size == 4
    with pytest.raises(HubError, match="revision"):
        NestedEmbeddings.from_pretrained(REPO, revision="no-such-branch")


def test_pushing_again_deletes_parts_that_are_gone_and_keeps_other_files(model: NestedEmbeddings, hub: Hub) -> None:
    model.push_to_hub(REPO)
    _, files = hub.repositories[REPO].files("main") or ("", {})
    stale = {"coarse_index-0123456789ab.safetensors": b"x", "notes.txt": b"mine"}
    hub.repositories[REPO].commit({**files, **stale})
    model.at(2).push_to_hub(REPO)
    _, files = hub.repositories[REPO].files("main") or ("", {})
    assert "coarse_index-0123456789ab.safetensors" not in files
    assert files["notes.txt"] == b"mine"


def test_only_a_models_own_files_are_fetched(model: NestedEmbeddings, hub: Hub) -> None:
    model.push_to_hub(REPO)
    _, files = hub.repositories[REPO].files("main") or ("", {})
    hub.repositories[REPO].commit({**files, "model.pkl": b"evil", "setup.py": b"evil"})
    hub.requests.clear()
    NestedEmbeddings.from_pretrained(REPO)
    fetched = {request.rpartition("/")[2] for request in hub.requests if "/resolve/" in request}
    assert fetched == {
        "manifest.json", "embeddings.safetensors", "vocabularies.safetensors", "interactions.safetensors",
    }  # fmt: skip


def test_all_files_are_of_the_commit_of_the_manifest(model: NestedEmbeddings, hub: Hub) -> None:
    """A push between two downloads would mix two models."""
    commit = model.push_to_hub(REPO).rpartition("/")[2]
    hub.requests.clear()
    NestedEmbeddings.from_pretrained(REPO)
    asked = {re.sub(r".*/resolve/([^/]+)/.*", r"\1", request) for request in hub.requests if "safetensors" in request}
    assert asked == {commit}


def test_damage_on_the_way_is_found(model: NestedEmbeddings, hub: Hub) -> None:
    model.push_to_hub(REPO)
    _, files = hub.repositories[REPO].files("main") or ("", {})
    content = bytearray(files["embeddings.safetensors"])
    content[-1] ^= 1
    hub.repositories[REPO].commit({**files, "embeddings.safetensors": bytes(content)})
    with pytest.raises(ModelFileError, match="checksum"):
        NestedEmbeddings.from_pretrained(REPO)


@pytest.mark.parametrize("content", [b"{}", b"no json", b'{"format": "nestrec-model", "files": {"../x": {}}}'])
def test_a_repository_of_something_else_is_refused(content: bytes, hub: Hub, model: NestedEmbeddings) -> None:
    model.push_to_hub(REPO)
    hub.repositories[REPO].commit({"manifest.json": content})
    with pytest.raises(ModelFileError):
        NestedEmbeddings.from_pretrained(REPO)


def test_a_manifest_that_names_other_files_is_refused(hub: Hub, model: NestedEmbeddings) -> None:
    from nestrec.artefact.strict_json import digest_document

    model.push_to_hub(REPO)
    _, files = hub.repositories[REPO].files("main") or ("", {})
    manifest = json.loads(files["manifest.json"])
    del manifest["sha256"]
    manifest["files"]["../../outside"] = {"bytes": 0, "xxh3": ""}
    manifest["sha256"] = digest_document(manifest)
    hub.repositories[REPO].commit({**files, "manifest.json": json.dumps(manifest).encode()})
    with pytest.raises(ModelFileError, match=r"'\.\./\.\./outside'"):
        NestedEmbeddings.from_pretrained(REPO)


def test_what_is_not_there_is_named_with_a_remedy(hub: Hub, model: NestedEmbeddings) -> None:
    with pytest.raises(HubError, match=r"nobody/nothing must be a repository with a model.*check the name"):
        NestedEmbeddings.from_pretrained("nobody/nothing")
    with pytest.raises(OptionError, match="owner/name"):
        NestedEmbeddings.from_pretrained("not a name!")
    model.push_to_hub(REPO)
    hub.repositories[REPO].commit({"README.md": b"a model of another library"})
    with pytest.raises(HubError, match="must be a repository with a model"):
        NestedEmbeddings.from_pretrained(REPO)


def test_a_hub_that_cannot_be_reached(monkeypatch: pytest.MonkeyPatch, model: NestedEmbeddings, tmp_path: Path) -> None:
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", "http://127.0.0.1:9/{repo_id}", raising=False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(HubError, match="cannot be reached"):
        model.push_to_hub(REPO, token="hf_of_the_tests")
    with pytest.raises(HubError, match="cannot be reached"):
        NestedEmbeddings.from_pretrained(REPO, token="hf_of_the_tests")


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, model: NestedEmbeddings) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    for call in (lambda: model.push_to_hub(REPO), lambda: NestedEmbeddings.from_pretrained(REPO)):
        with pytest.raises(MissingExtraError, match=r"needs huggingface_hub.*nestrec\[hub\]"):
            call()


def test_the_card_has_metrics_by_width_data_licence_and_a_way_to_load(
    model: NestedEmbeddings, hub: Hub, tmp_path: Path
) -> None:
    held_out = SyntheticData(n_users=80, n_items=60, interactions_per_user=5).generate(seed=7).interactions
    with pytest.warns(nestrec.errors.DataWarning):
        found = nestrec.evaluate(model, held_out, cutoffs=[10], metrics=["recall", "ndcg"], bootstrap_samples=0)
    model.push_to_hub(REPO, licence="apache-2.0", evaluation=found)
    _, files = hub.repositories[REPO].files("main") or ("", {})
    card = files["README.md"].decode()
    assert card.startswith('---\nlibrary_name: nestrec\nlicense: "apache-2.0"\n')
    assert f'NestedEmbeddings.from_pretrained("{REPO}")' in card
    for width in (2, 4):
        assert f"| {width} | {found.at(width).means['recall@10']:.4f} |" in card
        chosen = model.manifest["training"]["validation_metrics"]["metrics"][str(width)]["ndcg@20"]
        assert f"{chosen:.4f}" in card
    assert model.manifest["data"]["fingerprint"] in card
    assert "ids of all users" in card
    assert huggingface_hub.ModelCard(card).data.license == "apache-2.0"


def test_the_examples_of_the_page_run(hub: Hub) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "hub.md"
    examples = re.findall(r"^```py\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    exec(compile("".join(examples), page.name, "exec"), {})
    assert len(examples) == 2
    assert "shop/two-widths" in hub.repositories


def test_a_card_cannot_be_broken_out_of() -> None:
    manifest = {"widths": [2], "n_users": 1, "n_items": 1, "n_interactions": 1}
    card = format_card("a/b", manifest, licence="x\n---\n# <script>")
    assert card.count("\n---\n") == 1
    assert "<script" not in card.partition("\n---\n")[2]

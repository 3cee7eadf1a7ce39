"""A saved model comes back whole, and what is not a whole model is refused in one sentence."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from safetensors.numpy import load_file

from nestrec import Interactions, NestedEmbeddings, Vocabulary, Widths
from nestrec.artefact import checksums
from nestrec.artefact.open_model import OpenedDirectory
from nestrec.errors import ModelFileError, OptionError
from tests.artefact.foreign_writer import MISSING, describe_files, replace_tensors, rewrite_manifest
from tests.atomic.kills import Killed, killed_at

FILES = ["embeddings.safetensors", "interactions.safetensors", "manifest.json", "vocabularies.safetensors"]


def build(users: list[Any], items: list[Any], seed: int = 0, **sections: Any) -> NestedEmbeddings:
    """Random vectors of widths 2 and 4; user u has seen item u, as far as there are items."""
    rng = np.random.default_rng(seed)
    user_ids, item_ids = Vocabulary.from_ids(users), Vocabulary.from_ids(items)
    seen_items = np.arange(min(len(users), len(items)), dtype=np.int32)
    indptr = np.minimum(np.arange(len(users) + 1), len(seen_items)).astype(np.int64)
    return NestedEmbeddings(
        rng.normal(size=(len(users), 4)).astype(np.float32),
        rng.normal(size=(len(items), 4)).astype(np.float32),
        Widths((2, 4)),
        user_ids,
        item_ids,
        Interactions(user_ids, item_ids, indptr, seen_items),
        sections,
    )


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    build(["ann", "bob", "cyd"], [1, 2], options={"seed": 5}).save(tmp_path / "model")
    return tmp_path / "model"


def same(one: NestedEmbeddings, other: NestedEmbeddings) -> bool:
    arrays: list[tuple[npt.NDArray[Any], npt.NDArray[Any]]] = [
        (one.user_embeddings, other.user_embeddings),
        (one.item_embeddings, other.item_embeddings),
        (one.seen.indptr, other.seen.indptr),
        (one.seen.indices, other.seen.indices),
    ]
    equal = all(a.dtype == b.dtype and np.array_equal(a, b) for a, b in arrays)
    return equal and one.widths == other.widths and one.users == other.users and one.items == other.items


@pytest.mark.parametrize(
    "ids",
    [
        [3, -7, 2**62],
        ["a", "", "é\N{GRINNING FACE}", "a b,\t\n", "0", "007", "x\0"],
        [2**70, "1"],
    ],
    ids=["numbers", "text", "larger than 64 bits"],
)
def test_what_is_saved_comes_back(tmp_path: Path, ids: list[Any]) -> None:
    for name, model in {"users": build(ids, [1]), "items": build([1, 2], ids)}.items():
        model.save(tmp_path / name)
        for verify in (None, True, False):
            assert same(NestedEmbeddings.load(tmp_path / name, verify=verify), model)


def with_signals(model: NestedEmbeddings) -> NestedEmbeddings:
    """Return the model with a weight for each seen item, and a dislike of the first user."""
    seen = model.seen
    n_users = len(seen.users)
    indptr = np.minimum(np.arange(n_users + 1), 1).astype(np.int64)
    disliked = Interactions(seen.users, seen.items, indptr, np.array([1], dtype=np.int32))
    weights = np.linspace(0.5, 2, seen.n_interactions, dtype=np.float32)
    return replace(model, seen=replace(seen, weights=weights, dislikes=disliked, check=False), check=False)


def test_weights_and_dislikes_come_back(tmp_path: Path) -> None:
    model = with_signals(build(["ann", "bob", "cyd"], [1, 2]))
    model.save(tmp_path / "model")
    for verify in (None, True, False):
        loaded = NestedEmbeddings.load(tmp_path / "model", verify=verify)
        assert loaded.seen.fingerprint() == model.seen.fingerprint()
        assert loaded.seen.dislikes is not None


@pytest.mark.parametrize(
    "changes",
    [
        {"dislike_indices": MISSING},
        {"dislike_indices": np.array([2], dtype=np.int32)},
        {"dislike_indptr": np.array([0, 1], dtype=np.int64)},
        {"weights": np.array([1, -1], dtype=np.float32)},
        {"weights": np.array([1], dtype=np.float32)},
        {"weights": np.array([1, 1], dtype=np.float64)},
    ],
    ids=str,
)
def test_weights_and_dislikes_that_do_not_fit_are_refused(tmp_path: Path, changes: dict[str, Any]) -> None:
    with_signals(build(["ann", "bob", "cyd"], [1, 2])).save(tmp_path / "model")
    replace_tensors(tmp_path / "model", "interactions.safetensors", **changes)
    with pytest.raises(ModelFileError):
        NestedEmbeddings.load(tmp_path / "model")


def test_text_ids_come_back_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nestrec.artefact.id_arrays._AT_ONCE", 3)
    model = build([f"u{'é' * (number % 4)}{number}" for number in range(11)], ["", "nul\0", *"abc", "z" * 300])
    model.save(tmp_path / "model")
    assert same(NestedEmbeddings.load(tmp_path / "model"), model)


def test_a_narrowed_model_is_saved_narrow(tmp_path: Path) -> None:
    model = build(["a", "b"], ["x"]).at(2)
    model.save(tmp_path / "model")
    assert same(NestedEmbeddings.load(tmp_path / "model"), model)


def test_a_loaded_model_answers_like_the_one_saved(tmp_path: Path) -> None:
    model = build(list(range(20)), list(range(30)))
    model.save(tmp_path / "model")
    ids, scores = NestedEmbeddings.load(tmp_path / "model").recommend(range(20), k=5, width=2)
    np.testing.assert_array_equal(ids, model.recommend(range(20), k=5, width=2).ids)
    np.testing.assert_array_equal(scores, model.recommend(range(20), k=5, width=2).scores)


def test_loaded_arrays_are_read_only_pages_of_the_file(saved: Path) -> None:
    model = NestedEmbeddings.load(saved)
    for array in (model.user_embeddings, model.item_embeddings, model.seen.indices, model.items.ids):
        assert not array.flags.writeable
        assert not array.flags.owndata
        assert array.flags.aligned
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert str(saved / "embeddings.safetensors") in maps.read_text()


def test_the_manifest_keeps_the_sections_given_and_describes_the_files(saved: Path) -> None:
    manifest = NestedEmbeddings.load(saved).manifest
    assert manifest["options"] == {"seed": 5}
    assert (manifest["format"], manifest["format_version"], manifest["widths"]) == ("nestrec-model", 2, [2, 4])
    assert (manifest["n_users"], manifest["n_items"], manifest["n_interactions"]) == (3, 2, 2)
    assert sorted(path.name for path in saved.iterdir()) == FILES
    assert {name: entry["bytes"] for name, entry in manifest["files"].items()} == {
        path.name: path.stat().st_size for path in saved.iterdir() if path.name != "manifest.json"
    }


def test_the_files_are_plain_safetensors(saved: Path) -> None:
    model = NestedEmbeddings.load(saved)
    tensors = load_file(saved / "embeddings.safetensors")
    np.testing.assert_array_equal(tensors["user_embeddings"], model.user_embeddings)


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        build(["a", "b"], ["x"], options={"seed": 1}).save(tmp_path / name)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


def test_a_model_is_replaced_only_on_request(saved: Path) -> None:
    before, model = NestedEmbeddings.load(saved), build(["z"], [9], seed=1)
    with pytest.raises(OptionError, match=r"model already holds a model; .* overwrite=True"):
        model.save(saved)
    assert same(NestedEmbeddings.load(saved), before)
    model.save(saved, overwrite=True)
    assert same(NestedEmbeddings.load(saved), model)
    assert [path.name for path in saved.parent.iterdir()] == ["model"]


def test_a_loaded_model_can_replace_itself_and_stays_readable(saved: Path) -> None:
    loaded = NestedEmbeddings.load(saved)
    build(["z"], [9]).save(saved, overwrite=True)
    assert loaded.recommend("ann", k=1).ids.tolist() == [2]
    loaded.save(saved, overwrite=True)
    assert same(NestedEmbeddings.load(saved), loaded)


def test_what_is_not_a_model_is_never_replaced(tmp_path: Path, saved: Path) -> None:
    model = build(["a"], ["x"])
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "chapter.txt").write_text("one")
    (tmp_path / "file").write_text("two")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "manifest.json").write_text("{}")
    for name, sentence in (
        ("thesis", r"something else than a model \(chapter.txt\)"),
        ("file", "is a file"),
        ("other", "is not a nestrec model"),
    ):
        with pytest.raises(ModelFileError, match=sentence):
            model.save(tmp_path / name, overwrite=True)
    assert [path.name for path in (tmp_path / "thesis").iterdir()] == ["chapter.txt"]
    assert (tmp_path / "file").read_text() == "two"


def test_other_files_in_a_models_folder_stay(saved: Path) -> None:
    """A hub's README.md, .gitattributes and .git were a reason to refuse the model's replacement."""
    (saved / ".git").mkdir()
    (saved / ".git" / "HEAD").write_text("main")
    (saved / "README.md").write_text("mine")
    build(["z"], [9]).save(saved, overwrite=True)
    assert NestedEmbeddings.load(saved).users.ids.tolist() == ["z"]
    assert sorted(path.name for path in saved.iterdir()) == sorted([*FILES, ".git", "README.md"])
    assert (saved / "README.md").read_text() == "mine"


def test_hidden_files_and_what_a_file_system_puts_into_its_root_leave_a_place_free(tmp_path: Path) -> None:
    """The clone of an empty hub, and a volume of its own."""
    for name in (".git", "lost+found"):
        (tmp_path / name).mkdir()
    build(["a"], ["x"]).save(tmp_path)
    assert NestedEmbeddings.load(tmp_path).n_users == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*FILES, ".git", "lost+found"])


def test_a_model_is_saved_and_read_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load(".")` and `load("/")` ended in a traceback, and a shell that stood in the folder in one that was gone."""
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "model")
    for _ in range(2):
        build(["a"], ["x"]).save(".", overwrite=True)
        for path in (".", "../model", "../model/"):
            assert NestedEmbeddings.load(path).n_users == 1
        assert sorted(path.name for path in Path.cwd().iterdir()) == FILES
    with pytest.raises(ModelFileError, match="not a nestrec model"):
        NestedEmbeddings.load("/")


@pytest.mark.parametrize("overwritten", [True, False])
def test_a_kill_at_any_step_of_a_save_leaves_a_model_and_the_next_save_works(
    overwritten: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = build(["old"], [1]), build(["new"], [1, 2])
    for step in range(300):
        place = tmp_path / str(step) / "model"
        place.parent.mkdir()
        if overwritten:
            old.save(place)
        with killed_at(step, monkeypatch), suppress(Killed):
            new.save(place, overwrite=True)
            break
        if overwritten or (place / "manifest.json").exists():
            assert NestedEmbeddings.load(place, verify=True).users.ids.tolist() in (["old"], ["new"])
        new.save(place, overwrite=True)
        assert NestedEmbeddings.load(place, verify=True).users.ids.tolist() == ["new"]
        assert sorted(path.name for path in place.iterdir()) == FILES
        assert [path.name for path in place.parent.iterdir()] == ["model"]
    assert step > 15


def test_a_model_is_replaced_behind_a_link(saved: Path) -> None:
    link = saved.with_name("latest")
    link.symlink_to(saved, target_is_directory=True)
    build(["z"], [9]).save(link, overwrite=True)
    assert link.is_symlink()
    assert NestedEmbeddings.load(saved).users.ids.tolist() == ["z"]


def test_missing_parents_are_made_and_an_empty_directory_is_filled(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path in (tmp_path / "empty", tmp_path / "a" / "b"):
        build(["a"], ["x"]).save(path)
        assert NestedEmbeddings.load(path).n_users == 1


def test_a_path_that_cannot_be_written_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelFileError, match=r"cannot be written to .*file.model"):
        build(["a"], ["x"]).save(tmp_path / "file" / "model")


def test_a_model_that_is_not_finite_or_has_no_json_manifest_is_not_saved(tmp_path: Path) -> None:
    model = build(["a"], ["x"])
    model.item_embeddings[0, 1] = np.inf
    with pytest.raises(ModelFileError, match="item_embeddings hold NaN or infinite"):
        model.save(tmp_path / "model")
    for value in (float("nan"), object()):
        with pytest.raises(ModelFileError, match="cannot be written as JSON"):
            build(["a"], ["x"], loss=value).save(tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip_last_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", ["embeddings.safetensors", "vocabularies.safetensors", "interactions.safetensors"])
@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (Path.unlink, "is missing"),
        (truncate, r"has \d+ bytes where its manifest says \d+"),
        (flip_last_byte, "checksum of bytes 0 to"),
    ],
)
def test_a_damaged_file_is_refused(saved: Path, name: str, damage: Callable[[Path], None], sentence: str) -> None:
    damage(saved / name)
    with pytest.raises(ModelFileError, match=f"{name}.*{sentence}"):
        NestedEmbeddings.load(saved)


def test_contents_of_large_files_are_sampled_and_read_whole_on_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a file beyond the limit the first and the last block are always verified, of the others a sample."""
    monkeypatch.setattr(checksums, "VERIFIED_UP_TO", 10)
    monkeypatch.setattr(checksums, "BLOCK", 64)
    monkeypatch.setattr(checksums, "SAMPLED", 3)
    model = tmp_path / "model"
    build(list(range(100)), [1]).save(model)
    content = (model / "embeddings.safetensors").read_bytes()
    for place, found in ((len(content) - 1, 1.0), (9, 1.0), (640, 0.04)):  # 1 of the 25 others or so
        damaged = bytearray(content)
        damaged[place] ^= 16
        (model / "embeddings.safetensors").write_bytes(damaged)
        refused = sum(is_refused(model) for _ in range(500)) / 500  # by chance none once in 10^9 runs
        assert refused == 1.0 if found == 1.0 else 0.0 < refused < 0.5
        assert is_refused(model, verify=True)
        assert not is_refused(model, verify=False) or place == 9  # the header is read in any case


def is_refused(model: Path, **how: Any) -> bool:
    try:
        NestedEmbeddings.load(model, **how)
    except ModelFileError:
        return True
    return False


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format_version": 1}, r"of model format 1, written by nestrec .* reads format 2"),
        ({"format_version": 2.0}, r"of model format 2\.0"),
        ({"format_version": True}, r"of model format True"),
        ({"format_version": "9" * 500}, r"of model format 9{40},"),
        ({"format": "other"}, "is not of a nestrec model"),
        ({"format": ["nestrec-model"]}, "is not of a nestrec model"),
        ({"files": {}}, "describes no files"),
        ({"files": 3}, r"files"),
        ({"files": {"embeddings.safetensors": None}}, "files"),
        ({"files": MISSING}, "files"),
        ({"widths": [2, 8]}, "do not end at embedding size 4"),
        ({"widths": [2, 8], "embedding_size": 8}, "embedding size 8"),
        ({"widths": [4, 2], "embedding_size": 2}, "ascending"),
        ({"widths": [3, 3, 4]}, "ascending"),
        ({"widths": [0, 4]}, "widths"),
        ({"widths": []}, "widths"),
        ({"widths": None}, "widths"),
        ({"widths": [2, 4.5]}, "widths"),
        ({"widths": [2, 10**400]}, "widths"),
        ({"n_users": 4}, "n_users is 4 in the manifest and 3 in the files"),
        ({"n_items": -1}, "n_items"),
        ({"n_interactions": 7}, "n_interactions is 7"),
        ({"search_config": []}, "search_config is damaged"),
        ({"search_config": {"width": 4, "k": -1}}, "search_config is damaged"),
        ({"search_config": {"width": 3}}, "does not fit its manifest"),
        ({"search_config": {"width": 4, "index": {"width": 2}}}, "needs the coarse index"),
        ({"coarse_index": {"storage": "int8", "width": 2, "full_width": 4}}, "nestrec plan"),
        ({"coarse_index": 5}, "nestrec plan"),
    ],
)
def test_a_manifest_that_does_not_fit_is_refused(saved: Path, changes: dict[str, Any], sentence: str) -> None:
    rewrite_manifest(saved, **changes)
    for verify in (None, True, False):
        with pytest.raises(ModelFileError, match=sentence):
            NestedEmbeddings.load(saved, verify=verify)


def test_widths_that_were_not_trained_cannot_be_written_into_the_manifest(saved: Path) -> None:
    """Width 3 of a model of widths 2 and 4 was served after an edit by hand, with the vectors' own numbers."""
    text = (saved / "manifest.json").read_text()
    document = json.loads(text)
    (saved / "manifest.json").write_text(json.dumps({**document, "widths": [2, 3, 4]}))
    with pytest.raises(ModelFileError, match="sha256 does not match"):
        NestedEmbeddings.load(saved)
    (saved / "manifest.json").write_text(json.dumps(document, indent=7, sort_keys=True))  # the same values
    assert NestedEmbeddings.load(saved).widths == Widths((2, 4))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"seed": 5', '"seed": 5, "seed": 5'),
        ('"seed": 5', '"seed": NaN'),
        ('"seed": 5', '"seed": -Infinity'),
        ('"seed": 5', '"seed": 1e999'),
        ('"seed": 5', f'"seed": {"1" * 5000}'),
        ('"seed": 5', f'"seed": {"[" * 100_000}{"]" * 100_000}'),
        ('"seed": 5', f'"seed": {"[" * 100}{"]" * 100}'),
        ('"seed": 5', '"seed": "\\ud800"'),
        ('"seed": 5', '"seed": "\ufeff"'),
        ('"seed": 5', '"seed": 5.0'),
        ("{", "\ufeff{"),
        ("", " " * (33 << 20)),
    ],
    ids=lambda text: str(text)[:24],
)
def test_a_manifest_of_odd_json_is_refused(saved: Path, old: str, new: str) -> None:
    """AttributeError, KeyError, OverflowError and RecursionError came through."""
    text = (saved / "manifest.json").read_text()
    (saved / "manifest.json").write_text(text.replace(old, new, 1))
    with pytest.raises(ModelFileError, match=r"manifest\.json"):
        NestedEmbeddings.load(saved)


@pytest.mark.parametrize("text", ["", "{", "[1]", "\xff", "null", "0", '"nestrec-model"'])
def test_a_damaged_manifest_is_refused(saved: Path, text: str) -> None:
    (saved / "manifest.json").write_text(text, encoding="latin-1")
    with pytest.raises(ModelFileError, match=r"manifest\.json is"):
        NestedEmbeddings.load(saved)


def test_a_foreign_or_missing_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"holds no manifest\.json, so it is not a nestrec model"):
        NestedEmbeddings.load(tmp_path)
    with pytest.raises(ModelFileError, match="there is no model directory"):
        NestedEmbeddings.load(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("name", "changes", "sentence"),
    [
        ("embeddings", {"user_embeddings": np.full((3, 4), np.nan, np.float32)}, "user_embeddings .* NaN"),
        ("embeddings", {"user_embeddings": np.zeros((2, 4), np.float32)}, "for 3 users"),
        ("embeddings", {"user_embeddings": np.zeros((3, 4))}, "float64"),
        ("interactions", {"indptr": np.array([0, 2, 1, 2])}, "indptr must ascend"),
        ("interactions", {"indptr": np.array([0, 2])}, "do not fit"),
        ("interactions", {"indices": np.array([1.5], np.float32)}, "do not fit"),
        ("vocabularies", {"items": np.array([2, 1])}, "ascend"),
        ("vocabularies", {"users.bytes": np.frombuffer(b"ann\xff\xfebcyd", np.uint8)}, "utf-8"),
        ("vocabularies", {"users.offsets": np.array([0, 3, 2, 9])}, "do not fit each other"),
        ("vocabularies", {"users.offsets": np.array([0, 3, 6, 8])}, "do not cut"),
        ("vocabularies", {"users.offsets": np.zeros(0, np.int64)}, "do not fit|do not cut"),
        ("vocabularies", {"users.offsets": np.array([0, 3, 6, 9], np.int32)}, "int64"),
        ("vocabularies", {"users": np.array([1, 2, 3])}, "users.bytes"),
        ("vocabularies", {"items": np.array([1, 2], np.int32)}, "int64"),
        ("vocabularies", {"items": MISSING}, "do not fit"),
        ("embeddings", {"user_embeddings": MISSING}, "holds item_embeddings instead of"),
        ("embeddings", {"more": np.zeros(1, np.float32)}, "more"),
        ("interactions", {"indices": np.array([0, 2], np.int32)}, "from 0 to 1, got 0 to 2"),
        ("interactions", {"indices": np.array([-1, 1], np.int32)}, "from 0 to 1, got -1 to 1"),
        ("interactions", {"indices": np.zeros((2, 1), np.int32)}, "one dimension"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(saved: Path, name: str, changes: dict[str, Any], sentence: str) -> None:
    replace_tensors(saved, f"{name}.safetensors", **changes)
    for verify in (None, False):
        if "NaN" not in sentence or verify is None:
            with pytest.raises(ModelFileError, match=sentence):
                NestedEmbeddings.load(saved, verify=verify)


def entry(dtype: object = "F32", shape: object = (2, 4), offsets: object = (0, 32)) -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


USERS, ITEMS = entry(shape=(3, 4), offsets=(32, 80)), entry()
HEADERS: list[Any] = [
    [],
    {"user_embeddings": USERS},  # a gap before it
    {"item_embeddings": ITEMS},  # a gap after it
    {"user_embeddings": USERS, "item_embeddings": None},
    {"user_embeddings": USERS, "item_embeddings": entry(offsets=(0, 36))},
    {"user_embeddings": entry(shape=(3, 4), offsets=(0, 48)), "item_embeddings": entry()},  # overlap
    {"user_embeddings": USERS, "item_embeddings": entry(dtype="F64")},
    {"user_embeddings": USERS, "item_embeddings": entry(dtype="BF16")},
    {"user_embeddings": USERS, "item_embeddings": entry(dtype=["F32"])},
    {"user_embeddings": USERS, "item_embeddings": entry(shape=(-2, -4))},
    {"user_embeddings": USERS, "item_embeddings": entry(shape=(2.0, 4.5))},
    {"user_embeddings": USERS, "item_embeddings": entry(shape=(10**400, 4))},
    {"user_embeddings": USERS, "item_embeddings": entry(shape=(2**32, 2**32))},
    {"user_embeddings": USERS, "item_embeddings": entry(shape=(1,) * 60)},
    {"user_embeddings": USERS, "item_embeddings": entry(offsets=(0,))},
    {"user_embeddings": USERS, "item_embeddings": entry(offsets=(-32, 0))},
    {"user_embeddings": USERS, "item_embeddings": entry(offsets=(10**30, 10**30 + 32))},
    {"user_embeddings": USERS, "item_embeddings": {**entry(), "more": 1}},
    {"user_embeddings": entry("U8", (3,), (0, 3)), "item_embeddings": entry("U8", (77,), (3, 80))},
]
CONTENTS = [b"", b"short", b"\xff" * 8 + b"{}", b"\x02" + b"\0" * 7 + b"{}trailing"]


def file_of(header: Any) -> bytes:
    text = json.dumps(header).encode().ljust(320)
    return len(text).to_bytes(8, "little") + text + b"\0" * 80


@pytest.mark.parametrize("content", [*CONTENTS, *map(file_of, HEADERS)], ids=repr)
def test_a_file_that_is_not_safetensors_is_refused(saved: Path, content: bytes) -> None:
    (saved / "embeddings.safetensors").write_bytes(content)
    describe_files(saved)
    for verify in (None, False):
        with pytest.raises(ModelFileError, match=r"embeddings\.safetensors|do not fit"):
            NestedEmbeddings.load(saved, verify=verify)


def test_what_is_not_a_regular_file_is_refused_and_does_not_hang(saved: Path, tmp_path: Path) -> None:
    for name in FILES:
        content = (saved / name).read_bytes()
        for make in (os.mkfifo, Path.mkdir, partial(link_to, to="/dev/zero"), partial(link_to, to=name)):
            (saved / name).unlink()
            make(saved / name)
            with pytest.raises(ModelFileError, match=name.replace(".", r"\.") + "|cannot be read"):
                NestedEmbeddings.load(saved)
            (saved / name).rmdir() if make is Path.mkdir else (saved / name).unlink()
            (saved / name).write_bytes(content)
    os.mkfifo(tmp_path / "pipe")
    link_to(tmp_path / "loop", to=str(tmp_path / "loop"))
    for path in (tmp_path / "pipe", tmp_path / "loop", Path("/dev/null"), saved / "manifest.json"):
        with pytest.raises(ModelFileError):
            NestedEmbeddings.load(path)


def link_to(path: Path, to: str) -> None:
    path.symlink_to(to)


def test_files_may_be_links_to_regular_files(saved: Path, tmp_path: Path) -> None:
    """So a cache of a model hub lays them out."""
    (tmp_path / "blobs").mkdir()
    for name in FILES:
        (saved / name).rename(tmp_path / "blobs" / name)
        (saved / name).symlink_to(tmp_path / "blobs" / name)
    assert NestedEmbeddings.load(saved).n_users == 3


@pytest.mark.parametrize("path", [None, 5, b"model", "", "a\0b", ["model"]], ids=repr)
def test_what_is_not_a_path_is_one_sentence(path: Any) -> None:
    with pytest.raises(OptionError, match="a model's path must"):
        NestedEmbeddings.load(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_model_that_may_not_be_read_is_one_sentence(saved: Path) -> None:
    saved.chmod(0)
    try:
        with pytest.raises(ModelFileError, match="permissions"):
            NestedEmbeddings.load(saved)
    finally:
        saved.chmod(0o755)


def test_a_reader_sees_one_save_or_another_while_models_are_replaced(tmp_path: Path) -> None:
    """Each save has its own number of users, in all three files and the manifest."""
    target, stop = tmp_path / "model", threading.Event()
    build([0], [1]).save(target)

    def replace_again_and_again() -> None:
        size = 1
        while not stop.is_set():
            size = size % 5 + 1
            build(list(range(size)), [1]).save(target, overwrite=True)

    writer = threading.Thread(target=replace_again_and_again)
    writer.start()
    try:
        seen = {NestedEmbeddings.load(target).n_users for _ in range(200)}
    finally:
        stop.set()
        writer.join()
    assert seen <= {1, 2, 3, 4, 5}
    assert len(seen) > 1


def test_files_of_two_saves_are_never_mixed_even_where_contents_are_not_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of the next save came under the name that the former manifest gave, with the same size."""
    target, read, replaced = tmp_path / "model", OpenedDirectory.manifest, threading.Event()

    def save(number: int) -> None:
        vectors = np.full((2, 2), number, dtype=np.float32)
        made = NestedEmbeddings.from_arrays(vectors, vectors, [1, 2], users=[10 * number, 10 * number + 1])
        made.save(target, overwrite=True)

    def read_and_replace(self: OpenedDirectory) -> bytes | None:
        text = read(self)
        if not replaced.is_set():
            replaced.set()
            save(2)
        return text

    save(1)
    former = (target / "manifest.json").read_text()
    monkeypatch.setattr(OpenedDirectory, "manifest", read_and_replace)
    model = NestedEmbeddings.load(target, verify=False)
    assert model.users.ids.tolist() == [20, 21]
    assert model.manifest["sha256"] not in former

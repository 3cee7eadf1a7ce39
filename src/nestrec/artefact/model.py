"""Save and load the parts of a model: one directory, safetensors files and a manifest.

    MODEL/manifest.json              format, versions, widths, sizes, options, metrics, checksums
    MODEL/embeddings.safetensors     user_embeddings, item_embeddings: float32
    MODEL/vocabularies.safetensors   users, items: int64, or UTF-8 bytes and offsets
    MODEL/interactions.safetensors   indptr int64, indices int32: what was seen in training, without times
    MODEL/screen.safetensors         where the model was planned: a compact copy of the items, see retrieval/screen.py

Loading maps the files, so that processes share a large model's memory and opening it reads little. Sizes and structure
are always checked; contents (SHA-256, no NaN) in files up to 32 MiB, or in all with `verify=True`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.artefact.ids import packed_ids, unpacked_ids
from nestrec.artefact.manifest import MANIFEST, read_manifest, write_manifest
from nestrec.artefact.opened import OpenedDirectory, identity, is_finite
from nestrec.artefact.place import EMBEDDINGS, INTERACTIONS, LAYOUT, SCREEN, VOCABULARIES, check_model_folder
from nestrec.artefact.tensors import Arrays, write_arrays
from nestrec.atomic.folder import FILE_SUFFIX, write_folder
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.widths import Widths

_ATTEMPTS = 20  # a directory replaced while it is being read is read again


class StoredModel(NamedTuple):
    """The parts of a model; see NestedEmbeddings for what they are."""

    user_embeddings: npt.NDArray[np.float32]
    item_embeddings: npt.NDArray[np.float32]
    widths: Widths
    users: Vocabulary
    items: Vocabulary
    seen: Interactions
    manifest: Mapping[str, Any]  # the caller's sections; once read, with the artefact's own
    screen: Mapping[str, npt.NDArray[Any]]  # arrays by name; empty where the model was not planned


def write_model(path: str | os.PathLike[str], model: StoredModel, *, overwrite: bool = False) -> None:
    """Write a model directory, all of it or nothing; other files in it stay.

    Raises ModelFileError where the path holds something else than a model or cannot be written, or the model is not
    finite; OptionError where it holds a model and `overwrite` is False.
    """
    target = Path(os.path.realpath(path))
    for name in ("user_embeddings", "item_embeddings"):
        if not is_finite(getattr(model, name)):
            raise ModelFileError(f"{name} hold NaN or infinite numbers, so the model is not saved; train it again")
    try:
        write_folder(
            target,
            LAYOUT,
            lambda folder: _fill(folder, model),
            lambda folder, suffix: _describe(folder, model, suffix),
            lambda: check_model_folder(path, overwrite=overwrite),
        )
    except OSError as error:
        raise ModelFileError(
            f"the model cannot be written to {path} ({error.strerror or error}); make room or name another path"
        ) from error


def read_model(path: str | os.PathLike[str], *, verify: bool | None = None, screen: bool = True) -> StoredModel:
    """Open a model directory; arrays are read-only views of the files.

    `screen`: False leaves the screen's file alone.
    `verify`: True reads and checks all contents, False none, None those of files up to 32 MiB.
    Raises ModelFileError for a missing, foreign, damaged or other version's directory.
    """
    for attempt in range(_ATTEMPTS):
        directory = Path(path)
        before = identity(directory)
        try:
            return _read(directory, verify, screen)
        except (ModelFileError, OSError) as error:
            replaced = identity(Path(path)) != before
            if replaced and attempt + 1 < _ATTEMPTS:
                continue
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(
                f"the model at {path} cannot be read ({error.strerror or error}); check its files' permissions"
            ) from error
    raise AssertionError("the last attempt returns or raises")


def _fill(directory: Path, model: StoredModel) -> None:
    embeddings = {"user_embeddings": model.user_embeddings, "item_embeddings": model.item_embeddings}
    write_arrays(directory / EMBEDDINGS, embeddings)
    ids = {**packed_ids("users", model.users), **packed_ids("items", model.items)}
    write_arrays(directory / VOCABULARIES, ids)
    write_arrays(directory / INTERACTIONS, {"indptr": model.seen.indptr, "indices": model.seen.indices})
    if model.screen:
        write_arrays(directory / SCREEN, model.screen)


def _describe(directory: Path, model: StoredModel, suffix: str) -> bytes:
    """Return the manifest of the files in a directory that holds nothing else."""
    sizes = {
        "widths": list(model.widths),
        "embedding_size": model.widths.embedding_size,
        "n_users": len(model.users),
        "n_items": len(model.items),
        "n_interactions": model.seen.n_interactions,
    }
    sections = {name: value for name, value in model.manifest.items() if name != FILE_SUFFIX}
    if suffix:
        sections[FILE_SUFFIX] = suffix
    write_manifest(directory, {**sections, **sizes})
    text = (directory / MANIFEST).read_bytes()
    (directory / MANIFEST).unlink()
    return text


def _read(directory: Path, verify: bool | None, with_screen: bool) -> StoredModel:
    if not directory.is_dir():
        raise ModelFileError(f"there is no model directory {directory}; name the directory that a model was saved to")
    with OpenedDirectory(directory) as opened:
        manifest = read_manifest(directory, opened.text(MANIFEST))
        embeddings = opened.arrays(EMBEDDINGS, manifest, verify)
        ids = opened.arrays(VOCABULARIES, manifest, verify)
        pairs = opened.arrays(INTERACTIONS, manifest, verify)
        screen = _screen(opened, manifest, verify) if with_screen and SCREEN in manifest.get("files", ()) else {}
    try:
        return _assembled(embeddings, ids, pairs, manifest, screen)
    except (KeyError, IndexError, TypeError, ValueError, DataError, OptionError) as error:
        raise ModelFileError(f"the files of {directory} do not fit each other ({error}); train it again") from error


def _screen(opened: OpenedDirectory, manifest: dict[str, Any], verify: bool | None) -> Arrays:
    try:
        return opened.arrays(SCREEN, manifest, verify)
    except ModelFileError as error:
        raise ModelFileError(
            f"{error}, or plan it again, which needs no training: nestrec plan {opened.path}"
        ) from error


def _assembled(embeddings: Arrays, ids: Arrays, pairs: Arrays, manifest: dict[str, Any], screen: Arrays) -> StoredModel:
    users, items = unpacked_ids("users", ids), unpacked_ids("items", ids)
    indptr = pairs["indptr"]
    if (indptr[1:] < indptr[:-1]).any():
        raise DataError("indptr does not ascend")
    return StoredModel(
        embeddings["user_embeddings"],
        embeddings["item_embeddings"],
        Widths(manifest["widths"]),
        users,
        items,
        Interactions(users, items, indptr, pairs["indices"]),
        manifest,
        screen,
    )

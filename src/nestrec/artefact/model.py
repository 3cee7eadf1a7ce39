"""Save and load the parts of a model: one directory, safetensors files and a manifest.

    MODEL/manifest.json              format, versions, widths, sizes, options, metrics, checksums
    MODEL/embeddings.safetensors     user_embeddings, item_embeddings: float32
    MODEL/vocabularies.safetensors   users, items: int64, or UTF-8 bytes and offsets
    MODEL/interactions.safetensors   indptr int64, indices int32: what was seen in training, without times; where there
                                     are any, weights float32, and dislike_indptr and dislike_indices of dislikes
    MODEL/coarse_index.safetensors   the coarse index, if any (retrieval/coarse_index.py)
    MODEL/items.parquet              the item table, if any: a row for each item (item_table/)

Loading maps the files, so that processes share a large model's memory and opening it reads little. The manifest, the
structure of the files and their sizes are always checked. Contents are checked against the checksums of blocks: all of
a file up to 256 MiB, of a larger one its first, its last and 62 random blocks of 1 MiB; all with `verify=True`, none
with `verify=False`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy.typing as npt

from nestrec.arrays import Float32Array
from nestrec.artefact.checksums import VERIFIED_UP_TO
from nestrec.artefact.id_arrays import name_id_arrays, pack_ids, unpack_ids
from nestrec.artefact.manifest import describe_files, format_manifest, read_manifest
from nestrec.artefact.open_model import OpenedDirectory, identity, is_finite
from nestrec.artefact.pair_arrays import name_pair_arrays, pack_pairs, unpack_pairs
from nestrec.artefact.target_folder import (
    COARSE_INDEX,
    EMBEDDINGS,
    INTERACTIONS,
    ITEM_TABLE,
    LAYOUT,
    OPTIONAL,
    VOCABULARIES,
    check_model_folder,
)
from nestrec.artefact.tensors import Arrays, write_arrays
from nestrec.atomic.folder import FILE_SUFFIX, write_folder
from nestrec.data.interactions import Interactions
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError, ModelFileError, OptionError
from nestrec.item_table.description import SECTION, read_description
from nestrec.item_table.item_table import ItemTable
from nestrec.item_table.open_file import OpenFile
from nestrec.widths import Widths

_ATTEMPTS = 20  # a directory replaced while it is being read is read again


class StoredModel(NamedTuple):
    """The parts of a model; see NestedEmbeddings for what they are."""

    user_embeddings: Float32Array
    item_embeddings: Float32Array
    widths: Widths
    users: Vocabulary
    items: Vocabulary
    seen: Interactions
    manifest: Mapping[str, Any]  # the caller's sections; once read, with the artefact's own
    coarse_index: Mapping[str, npt.NDArray[Any]]  # arrays by name; empty without a search config
    item_table: ItemTable | None = None


def write_model(path: str | os.PathLike[str], model: StoredModel, *, overwrite: bool = False) -> None:
    """Write a model directory, all of it or nothing; other files in it stay.

    Raises ModelFileError where the path holds something else than a model or cannot be written, or the model is not
    finite; OutputError where it holds a model and `overwrite` is False.
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
            lambda folder: _describe(folder, model),
            lambda: check_model_folder(path, overwrite=overwrite),
        )
    except OSError as error:
        raise ModelFileError(
            f"the model cannot be written to {path} ({error.strerror or error}); make room or name another path"
        ) from error


def read_model(
    path: str | os.PathLike[str], *, verify: bool | None = None, coarse_index: bool = True, item_table: bool = True
) -> StoredModel:
    """Open a model directory; arrays are read-only views of the files.

    `coarse_index`, `item_table`: False leaves that file unread.
    `verify`: True checks all contents, False none, None all of files up to 256 MiB and samples of larger ones.
    Raises ModelFileError for a missing, foreign, damaged or other version's directory, OptionError for what is not a
    path.
    """
    place = _model_path(path)
    if verify not in (True, False, None):
        raise OptionError(
            f"verify must be True, False or None, got {verify!r}; see NestedEmbeddings.load", option="verify"
        )
    for attempt in range(_ATTEMPTS):
        before = None
        try:
            before = identity(place)
            stored = _read(place, verify=verify, with_coarse_index=coarse_index, with_item_table=item_table)
            # A file of the next model may have come under the name that the manifest of this one gives.
            if identity(place) == before:
                return stored
        except (ModelFileError, OSError) as error:
            if attempt + 1 < _ATTEMPTS and identity(place) != before:
                continue
            if isinstance(error, ModelFileError):
                raise
            raise ModelFileError(
                f"the model at {path} cannot be read ({error.strerror or error}); check the path and its permissions"
            ) from error
    raise ModelFileError(f"the model at {path} is being replaced again and again; load it when that is over")


def _model_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of a model's folder; raise OptionError for what cannot be one."""
    if not isinstance(path, (str, os.PathLike)) or not isinstance(os.fspath(path), str):
        raise OptionError(f"a model's path must be text or a pathlib.Path, got {type(path).__name__}")
    if not os.fspath(path) or "\0" in os.fspath(path):
        raise OptionError(f"a model's path must name a folder, got {os.fspath(path)!r}")
    return Path(path)


def _fill(directory: Path, model: StoredModel) -> None:
    embeddings = {"user_embeddings": model.user_embeddings, "item_embeddings": model.item_embeddings}
    write_arrays(directory / EMBEDDINGS, embeddings)
    ids = {**pack_ids("users", model.users), **pack_ids("items", model.items)}
    write_arrays(directory / VOCABULARIES, ids)
    write_arrays(directory / INTERACTIONS, pack_pairs(model.seen))
    if model.coarse_index:
        write_arrays(directory / COARSE_INDEX, model.coarse_index)
    if model.item_table is not None:
        model.item_table.file.copy_to(directory / ITEM_TABLE)


def _describe(directory: Path, model: StoredModel) -> Callable[[str], bytes]:
    """Return the manifest of the files in a directory that holds nothing else, for any suffix of their names."""
    sizes = {
        "widths": list(model.widths),
        "embedding_size": model.widths.embedding_size,
        "n_users": len(model.users),
        "n_items": len(model.items),
        "n_interactions": model.seen.n_interactions,
    }
    sections = {name: value for name, value in model.manifest.items() if name not in (FILE_SUFFIX, SECTION)}
    if model.item_table is not None:
        sections[SECTION] = model.item_table.description.as_manifest()
    files = describe_files(directory)
    return lambda suffix: format_manifest(files, {**sections, **({FILE_SUFFIX: suffix} if suffix else {}), **sizes})


def _read(directory: Path, *, verify: bool | None, with_coarse_index: bool, with_item_table: bool) -> StoredModel:
    if not directory.is_dir():
        raise ModelFileError(f"there is no model directory {directory}; name the directory that a model was saved to")
    with OpenedDirectory(directory) as opened:
        manifest = read_manifest(directory, opened.manifest())
        _check_files(directory, manifest)
        embeddings, ids, pairs = (
            opened.arrays(name, manifest, verify=verify) for name in (EMBEDDINGS, VOCABULARIES, INTERACTIONS)
        )
        has_index = with_coarse_index and COARSE_INDEX in manifest["files"]
        coarse_index = _coarse_index(opened, manifest, verify=verify) if has_index else {}
        has_table = with_item_table and ITEM_TABLE in manifest["files"]
        table_file = _open_item_table(opened, manifest, verify=verify) if has_table else None
    try:
        stored = _build_model(embeddings, ids, pairs, manifest, coarse_index)
        if table_file is None:
            return stored
        return stored._replace(item_table=ItemTable(stored.items, table_file, read_description(manifest)))
    except (LookupError, TypeError, ValueError, DataError, OptionError) as error:
        raise ModelFileError(f"the files of {directory} do not fit each other ({error}); train it again") from error


def _check_files(directory: Path, manifest: dict[str, Any]) -> None:
    """Raise ModelFileError where the manifest describes other files than a model has."""
    found, needed = set(manifest["files"]), set(LAYOUT.parts) - set(OPTIONAL)
    if not needed <= found <= set(LAYOUT.parts):
        raise ModelFileError(
            f"the manifest of {directory} describes {', '.join(sorted(found)) or 'no files'}, a model has "
            f"{', '.join(sorted(needed))}; copy or train the model again"
        )


def _coarse_index(opened: OpenedDirectory, manifest: dict[str, Any], *, verify: bool | None) -> Arrays:
    try:
        return opened.arrays(COARSE_INDEX, manifest, verify=verify)
    except ModelFileError as error:
        raise ModelFileError(
            f"{error}, or build it again, which needs no training: nestrec plan {opened.path}"
        ) from error


def _open_item_table(opened: OpenedDirectory, manifest: dict[str, Any], *, verify: bool | None) -> OpenFile:
    try:
        return opened.open(ITEM_TABLE, manifest, verify=verify)
    except ModelFileError as error:
        raise ModelFileError(f"{error}, or attach the item table again: nestrec items {opened.path}") from error


def _build_model(
    embeddings: Arrays, ids: Arrays, pairs: Arrays, manifest: dict[str, Any], coarse_index: Arrays
) -> StoredModel:
    _check_names(embeddings, {"user_embeddings", "item_embeddings"})
    _check_names(pairs, name_pair_arrays(pairs))
    users, items = unpack_ids("users", ids), unpack_ids("items", ids)
    _check_names(ids, {*name_id_arrays("users", users), *name_id_arrays("items", items)})
    # Indices of a larger file are checked where they are used, so that loading does not read all of it.
    seen = unpack_pairs(users, items, pairs, check=pairs["indices"].nbytes <= VERIFIED_UP_TO)
    for name, found in (("n_users", len(users)), ("n_items", len(items)), ("n_interactions", seen.n_interactions)):
        if manifest[name] != found:
            raise DataError(f"{name} is {manifest[name]} in the manifest and {found} in the files")
    matrices = embeddings["user_embeddings"], embeddings["item_embeddings"]
    return StoredModel(*matrices, Widths(manifest["widths"]), users, items, seen, manifest, coarse_index)


def _check_names(arrays: Arrays, names: set[str]) -> None:
    if set(arrays) != names:
        raise DataError(f"a file holds {', '.join(sorted(arrays))} instead of {', '.join(sorted(names))}")

"""`manifest.json`: format and version of a saved model, and the sizes and checksums of its files.

Its own checksum is the field `sha256`: the SHA-256 of the rest of the document as `strict_json.digest_document` writes
it, so that a manifest whose layout was changed is still whole, and one whose values were changed is not.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from io import BufferedReader
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from nestrec.artefact.checksums import check_blocks, choose_blocks, count_blocks, digest_blocks
from nestrec.artefact.regular_files import open_regular
from nestrec.artefact.strict_json import digest_document, parse_json
from nestrec.errors import ModelFileError
from nestrec.widths import LARGEST_EMBEDDING_SIZE

MANIFEST = "manifest.json"
FORMAT = "nestrec-model"
FORMAT_VERSION = 2  # 2: checksums of blocks and of the manifest itself
LARGEST_MANIFEST = 32 * 2**20  # bytes
_AGAIN = "copy or train the model again"

Count = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Width = Annotated[int, msgspec.Meta(ge=1, le=LARGEST_EMBEDDING_SIZE)]


class FileEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Manifest entry of a file: size and checksums."""

    bytes: Count
    xxh3: Annotated[str, msgspec.Meta(pattern="^([0-9a-f]{16})*$")]  # of each MiB


class Sections(msgspec.Struct, frozen=True):
    """The required sections of a manifest; all others are the caller's."""

    format: Literal["nestrec-model"]
    format_version: Literal[2]
    nestrec_version: str
    files: dict[str, FileEntry]
    widths: Annotated[list[Width], msgspec.Meta(min_length=1)]
    embedding_size: Width
    n_users: Count
    n_items: Count
    n_interactions: Count
    file_suffix: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{12}$")] = ""  # of the file names: atomic/folder.py


def describe_files(directory: Path) -> dict[str, Any]:
    """Return the manifest entries of the files in a directory that holds nothing else."""
    return {path.name: _describe_file(path) for path in sorted(directory.iterdir())}


def format_manifest(files: Mapping[str, Any], sections: Mapping[str, Any]) -> bytes:
    """Return the manifest of files, with the sections given beside them.

    Raises ModelFileError for sections that are not plain JSON values.
    """
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "nestrec_version": version("nestrec"), "files": files}
    try:
        plain = parse_json(json.dumps({**own, **sections, **own}, allow_nan=False).encode())
        plain.pop("sha256", None)
        whole = {"format": FORMAT, "format_version": FORMAT_VERSION, "sha256": digest_document(plain), **plain}
        content = (json.dumps(whole, indent=2, ensure_ascii=False) + "\n").encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ModelFileError(f"the manifest cannot be written as JSON ({error}); give plain finite values") from error
    if len(content) > LARGEST_MANIFEST:
        raise ModelFileError(
            f"the manifest must have at most {LARGEST_MANIFEST} bytes, got {len(content)}; keep large values elsewhere"
        )
    return content


def read_manifest(directory: Path, content: bytes | None) -> dict[str, Any]:
    """Return the manifest of a model folder; `content` is the file's, None where there is none.

    Raises ModelFileError for a foreign folder, a damaged manifest or another version's.
    """
    path = directory / MANIFEST
    if content is None:
        raise ModelFileError(f"{directory} holds no {MANIFEST}, so it is not a nestrec model; name a model's directory")
    if len(content) > LARGEST_MANIFEST:
        raise ModelFileError(f"{path} must have at most {LARGEST_MANIFEST} bytes, got more; name a model's directory")
    try:
        manifest = parse_json(content)
    except ValueError as error:
        raise ModelFileError(f"{path} is damaged ({error}); {_AGAIN}") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFileError(f"{path} is not of a nestrec model; name a model's directory")
    _check_version(directory, manifest)
    _check_whole(path, manifest)
    return manifest


def is_manifest(path: Path) -> bool:
    """Tell whether this file is a model's manifest, of any version."""
    try:
        with open_regular(path) as file:
            manifest = parse_json(file.read(LARGEST_MANIFEST + 1))
    except (OSError, ValueError, ModelFileError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def check_file(path: Path, file: BufferedReader, entry: Mapping[str, Any], *, verify: bool | None) -> bool:
    """Compare an open file with its entry in the manifest; return whether every byte of it was compared.

    Its size always, its blocks by `verify` (see `choose_blocks`). Raises ModelFileError where they differ.
    """
    found, size = file.seek(0, 2), entry["bytes"]
    if found != size:
        raise ModelFileError(f"{path} has {found} bytes where its manifest says {size}; {_AGAIN}")
    blocks = choose_blocks(size, verify=verify)
    check_blocks(path, file, entry["xxh3"], blocks)
    return len(blocks) == count_blocks(size)


def count_verified(manifest: Mapping[str, Any], *, verify: bool | None) -> dict[str, tuple[int, int]]:
    """Return for each file how many of its blocks are verified by a load with this `verify`, and how many it has."""
    sizes = {name: entry["bytes"] for name, entry in manifest["files"].items()}
    return {name: (len(choose_blocks(size, verify=verify)), count_blocks(size)) for name, size in sizes.items()}


def _check_version(directory: Path, manifest: dict[str, Any]) -> None:
    found = manifest.get("format_version")
    if found != FORMAT_VERSION or isinstance(found, float):
        by = str(manifest.get("nestrec_version"))[:40]
        raise ModelFileError(
            f"{directory} is of model format {str(found)[:40]}, written by nestrec {by}; this is nestrec "
            f"{version('nestrec')}, which reads format {FORMAT_VERSION}: use that nestrec or train again"
        )


def _check_whole(path: Path, manifest: dict[str, Any]) -> None:
    rest = {name: value for name, value in manifest.items() if name != "sha256"}
    try:
        digest = digest_document(rest)
        sections = msgspec.convert(rest, Sections)
    except (ValueError, RecursionError) as error:  # msgspec.ValidationError is a ValueError
        raise ModelFileError(f"{path} is damaged ({error}); {_AGAIN}") from error
    if manifest.get("sha256") != digest:
        raise ModelFileError(f"{path} was changed after it was written: its sha256 does not match its values; {_AGAIN}")
    for name, entry in sections.files.items():
        if len(entry.xxh3) != 16 * count_blocks(entry.bytes):
            raise ModelFileError(f"{path} is damaged (the checksums of {name} do not fit its size); {_AGAIN}")
    if sections.widths[-1] != sections.embedding_size:
        widths = ",".join(map(str, sections.widths))
        raise ModelFileError(
            f"{path} is damaged (widths {widths} do not end at embedding size {sections.embedding_size}); {_AGAIN}"
        )


def _describe_file(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        digests = digest_blocks(file)
        return {"bytes": file.tell(), "xxh3": digests}

"""`manifest.json`: what a model directory is, which version wrote it, and the size and SHA-256 of its other files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from io import BufferedReader
from pathlib import Path
from typing import Any

from nestrec.errors import ModelFileError

MANIFEST = "manifest.json"
FORMAT = "nestrec-model"
FORMAT_VERSION = 1


def write_manifest(directory: Path, sections: Mapping[str, Any]) -> None:
    """Describe the directory's other files, beside the sections given; raise ModelFileError for what is no JSON."""
    files = {path.name: _described(path) for path in sorted(directory.iterdir())}
    own = {"format": FORMAT, "format_version": FORMAT_VERSION, "nestrec_version": version("nestrec"), "files": files}
    try:
        text = json.dumps({**own, **sections, **own}, indent=2, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"the manifest cannot be written as JSON ({error}); give plain finite values") from error
    (directory / MANIFEST).write_text(text + "\n", encoding="utf-8")


def read_manifest(directory: Path, text: str | None) -> dict[str, Any]:
    """Return the manifest of a model directory; `text` is the file's, None where there is none.

    Raises ModelFileError for a foreign directory, a damaged manifest or another version's.
    """
    if text is None:
        raise ModelFileError(f"{directory} holds no {MANIFEST}, so it is no nestrec model; name a model's directory")
    try:
        manifest = json.loads(text)
    except ValueError as error:
        raise ModelFileError(f"{directory / MANIFEST} is damaged ({error}); copy or train the model again") from error
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise ModelFileError(f"{directory / MANIFEST} is not of a nestrec model; name a model's directory")
    found = manifest.get("format_version")
    if found != FORMAT_VERSION:
        raise ModelFileError(
            f"{directory} is of model format {found!r}, written by nestrec {manifest.get('nestrec_version')}; this is "
            f"nestrec {version('nestrec')}, which reads format {FORMAT_VERSION}: use that nestrec or train again"
        )
    return manifest


def is_manifest(path: Path) -> bool:
    """Tell whether this file is a model's manifest, of whatever version."""
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(manifest, dict) and manifest.get("format") == FORMAT


def check_file(path: Path, file: BufferedReader, manifest: Mapping[str, Any], *, hashed: bool) -> None:
    """Compare a file with what the manifest says of it; raise ModelFileError where they differ."""
    try:
        entry = manifest["files"][path.name]
        size, digest = entry["bytes"], entry["sha256"]
    except (KeyError, TypeError) as error:
        raise ModelFileError(
            f"the manifest beside {path} does not describe it; copy or train the model again"
        ) from error
    found = file.seek(0, 2)
    file.seek(0)
    if found != size:
        raise ModelFileError(f"{path} has {found} bytes where its manifest says {size}; copy or train the model again")
    if hashed and hashlib.file_digest(file, "sha256").hexdigest() != digest:
        raise ModelFileError(f"{path} is damaged: its SHA-256 is not the manifest's; copy or train the model again")


def _described(path: Path) -> dict[str, Any]:
    with path.open("rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}

"""Change a saved model as another writer of the format would: with a manifest whose checksums fit."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.numpy import load_file, save_file

from nestrec.artefact.manifest import _describe_file
from nestrec.artefact.strict_json import digest_document

MISSING = object()


def rewrite_manifest(model: Path, **changes: Any) -> None:
    """Change sections of the manifest (MISSING: take them out) and its checksum."""
    manifest = {**json.loads((model / "manifest.json").read_text()), **changes}
    manifest = {name: value for name, value in manifest.items() if value is not MISSING and name != "sha256"}
    (model / "manifest.json").write_text(json.dumps({**manifest, "sha256": digest_document(manifest)}))


def describe_files(model: Path) -> None:
    """Let the manifest describe the other files as they are."""
    files = {path.name: _describe_file(path) for path in model.glob("*.safetensors")}
    rewrite_manifest(model, files=files)


def replace_tensors(model: Path, name: str, **changes: Any) -> None:
    """Change tensors of a file (MISSING: take them out)."""
    tensors = {**load_file(model / name), **changes}
    save_file({key: array for key, array in tensors.items() if array is not MISSING}, model / name)
    describe_files(model)

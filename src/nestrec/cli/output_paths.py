"""Output files and folders of commands: checked before the work starts, written atomically."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from nestrec.atomic.output_file import atomic_file, check_output_file, check_output_folder
from nestrec.atomic.workspace import PROBE, remove_leftovers


def check_model_path(out: Path, *, overwrite: bool) -> None:
    """Raise OutputError or ModelFileError if a model could not be written to `out` later.

    A model that an interrupted run left counts as overwritable where `overwrite` says so.
    """
    from nestrec.artefact.target_folder import check_model_folder

    check_model_folder(out, overwrite=overwrite)
    place = Path(os.path.realpath(out))
    if place.exists():
        remove_leftovers(place.parent, PROBE)  # of a run for which the folder did not exist
    check_output_folder(place if place.exists() else place.parent)


def check_file_paths(*paths: Path | str | None, overwrite: bool) -> None:
    """Raise OutputError if a file could not be written later, or exists and must not be replaced.

    None is for no file, - for standard output.
    """
    for path in paths:
        if path not in (None, "-"):
            check_output_file(Path(str(path)), overwrite=overwrite)


def write_json(path: Path | str, document: Any, *, overwrite: bool) -> None:
    """Write a JSON file."""
    with atomic_file(path, overwrite=overwrite) as partial:
        partial.write_text(format_json(document), encoding="utf-8")


def format_json(document: Any) -> str:
    """Return a JSON document as files hold it."""
    return json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def was_interrupted(out: Path) -> bool:
    """Return whether the model there was left by an interrupted run."""
    training = _manifest(out).get("training")
    return isinstance(training, dict) and training.get("interrupted") is True


def _manifest(out: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}

"""Where a command writes: refused before the work begins, not after it; written whole or not at all."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from nestrec.atomic.output_file import atomic_file, check_output_file, check_output_folder
from nestrec.atomic.workspace import PROBE, remove_leftovers

Overwrite = Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")]


def check_model_place(out: Path, *, overwrite: bool) -> None:
    """Raise OptionError or ModelFileError where a model could not be written to `out` later.

    A model that an interrupted run left counts as overwritable where `overwrite` says so.
    """
    from nestrec.artefact.target_folder import check_model_folder

    check_model_folder(out, overwrite=overwrite)
    place = Path(os.path.realpath(out))
    if place.exists():
        remove_leftovers(place.parent, PROBE)  # of a run for which the folder did not exist
    check_output_folder(place if place.exists() else place.parent)


def check_file_place(path: Path, *, overwrite: bool) -> None:
    """Raise OptionError where a file could not be written to `path` later, or exists and must not be replaced."""
    check_output_file(path, overwrite=overwrite)


def write_json(path: Path, document: Any, *, overwrite: bool) -> None:
    """Write plain values as JSON."""
    with atomic_file(path, overwrite=overwrite) as partial:
        partial.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def was_interrupted(out: Path) -> bool:
    """Tell whether the model there is what an interrupted run left."""
    training = _manifest(out).get("training")
    return isinstance(training, dict) and training.get("interrupted") is True


def _manifest(out: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) else {}

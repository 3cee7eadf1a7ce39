"""Where a command writes: refused before the work begins, not after it; written whole or not at all."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from nestrec.atomic.output_file import check_output_folder
from nestrec.errors import OptionError


def check_model_place(out: Path, *, overwrite: bool) -> None:
    """Raise OptionError or ModelFileError where a model could not be written to `out` later.

    A model that an interrupted run left counts as overwritable where `overwrite` says so.
    """
    from nestrec.artefact.place import check_model_folder

    check_model_folder(out, overwrite=overwrite)
    place = Path(os.path.realpath(out))
    check_output_folder(place if place.exists() else place.parent)


def check_file_place(path: Path) -> None:
    """Raise OptionError where a file could not be written to `path` later."""
    if path.is_dir():
        raise OptionError(f"{path} is a folder; name a file to write")
    check_output_folder(path.parent)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a path to write to, which takes the place of `path` at the end; on an error nothing is left.

    The folder is made if need be. Raises OptionError where the file cannot be written, on a full disk too.
    """
    partial = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise OptionError(f"{path} cannot be written ({error.strerror or error}); name another place") from error
    finally:
        with suppress(OSError):  # where the folder could not be made, there is nothing to remove
            partial.unlink(missing_ok=True)


def write_json(path: Path, document: Any) -> None:
    """Write plain values as JSON."""
    with written_whole(path) as partial:
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

"""Where a model may be written: a free place, or a model's own folder, whose other files stay."""

from __future__ import annotations

import os
from pathlib import Path

from nestrec.artefact.manifest import MANIFEST, is_manifest
from nestrec.atomic.folder import FolderLayout
from nestrec.errors import ModelFileError, OutputError

EMBEDDINGS = "embeddings.safetensors"
VOCABULARIES = "vocabularies.safetensors"
INTERACTIONS = "interactions.safetensors"
COARSE_INDEX = "coarse_index.safetensors"
ITEM_TABLE = "items.parquet"
OPTIONAL = (COARSE_INDEX, ITEM_TABLE)

LAYOUT = FolderLayout(MANIFEST, (EMBEDDINGS, VOCABULARIES, INTERACTIONS, *OPTIONAL))

_NOBODYS = {"lost+found"}  # what a file system puts into its own root


def check_model_folder(path: str | os.PathLike[str], *, overwrite: bool) -> None:
    """Raise where a model must not be written.

    ModelFileError where the place holds something else (hidden files such as .git aside), OutputError where it holds a
    model and `overwrite` is False.
    """
    target = Path(os.path.realpath(path))
    if not target.exists():
        return
    if not target.is_dir():
        raise ModelFileError(f"{path} is a file; a model is a folder, so name another path")
    if not (target / MANIFEST).exists():
        _check_free(target, path)
    elif not is_manifest(target / MANIFEST):
        raise ModelFileError(f"{path} exists and is not a nestrec model, so it is not replaced; name another path")
    elif not overwrite:
        raise OutputError(
            f"{path} already holds a model; name another path, or replace it with overwrite=True",
            mentions=("overwrite=True",),
        )


def _check_free(target: Path, path: str | os.PathLike[str]) -> None:
    strangers = sorted(
        name
        for name in (entry.name for entry in target.iterdir())
        if not name.startswith(".") and name not in _NOBODYS and not LAYOUT.is_left_over(name)
    )
    if strangers:
        raise ModelFileError(
            f"{path} holds something else than a model ({', '.join(strangers[:5])}), so nothing is written there; "
            "name another path"
        )

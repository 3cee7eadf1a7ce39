"""Interactions in safetensors files, for worker processes; without timestamps."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from nestrec.artefact.id_arrays import pack_ids, unpack_ids
from nestrec.artefact.pair_arrays import pack_pairs, unpack_pairs
from nestrec.artefact.tensors import map_arrays, write_arrays
from nestrec.data.interactions import Interactions

_FILE = "interactions.safetensors"


def write_interactions(folder: Path, interactions: Interactions) -> None:
    """Write ids, pairs, weights and dislikes. Raises OSError, as on a full disk."""
    folder.mkdir(parents=True, exist_ok=True)
    ids = {**pack_ids("users", interactions.users), **pack_ids("items", interactions.items)}
    write_arrays(folder / _FILE, {**ids, **pack_pairs(interactions)})


def read_stored_interactions(folder: Path) -> Interactions:
    """Read interactions into memory. Raises ModelFileError if the file is damaged."""
    path = folder / _FILE
    with path.open("rb") as file:
        arrays = {name: np.array(array) for name, array in map_arrays(path, file).items()}
    users, items = unpack_ids("users", arrays), unpack_ids("items", arrays)
    return unpack_pairs(users, items, arrays)

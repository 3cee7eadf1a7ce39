"""Fingerprints of what commands write: equal for equal content, an error for what is neither old nor new but broken."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

State = Callable[[Path], str]
ABSENT = "absent"


def model(path: Path) -> str:
    """Return a digest of a model's arrays, all of them verified; a folder without a manifest is not a model yet."""
    import numpy as np

    from nestrec.embeddings import NestedEmbeddings
    from nestrec.errors import ModelFileError

    try:
        found = NestedEmbeddings.load(path, verify=True)  # also finds what a replacement that was cut short left
    except ModelFileError:
        if (path / "manifest.json").exists():
            raise
        return ABSENT
    digest = hashlib.sha256()
    for array in (found.user_embeddings, found.item_embeddings, found.seen.indptr, found.seen.indices):
        digest.update(np.ascontiguousarray(array).tobytes())
    digest.update(repr((found.users.ids.tolist(), found.items.ids.tolist(), list(found.widths))).encode())
    return digest.hexdigest()


def loads(path: Path) -> str:
    """Return whether a model is whole; its content is not compared, since several threads train another each time."""
    return ABSENT if model(path) == ABSENT else "whole"


def plan_kept(path: Path) -> str:
    """Return a model's digest and whether it has a plan; which plan is chosen depends on measured times."""
    from nestrec.embeddings import NestedEmbeddings

    digest = model(path)
    return (
        digest if digest == ABSENT else f"{digest} {NestedEmbeddings.load(path, verify=True).search_config is not None}"
    )


def every_byte(path: Path) -> str:
    """Return a digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ABSENT


def document(path: Path) -> str:
    """Return a digest of a JSON document without its numbers, some of which are times."""
    if not path.exists():
        return ABSENT
    return hashlib.sha256(repr(_without_numbers(json.loads(path.read_bytes()))).encode()).hexdigest()


def parses(path: Path) -> str:
    """Tell whether a JSON document is whole."""
    if not path.exists():
        return ABSENT
    json.loads(path.read_bytes())
    return "whole"


def _without_numbers(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _without_numbers(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return len(value)
    return type(value).__name__


def page(path: Path) -> str:
    """Tell whether an HTML page or a picture is whole."""
    if not path.exists():
        return ABSENT
    content = path.read_bytes()
    if not content.rstrip().endswith((b"</html>", b"</svg>")):
        raise ValueError(f"{path.name} is cut off after {len(content)} bytes")
    return "whole"


def table(path: Path) -> str:
    """Return a digest of the rows of a Parquet file."""
    import pyarrow.parquet

    if not path.exists():
        return ABSENT
    return hashlib.sha256(repr(pyarrow.parquet.read_table(path).to_pydict()).encode()).hexdigest()

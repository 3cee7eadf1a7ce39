"""Packages with entry points, made up in a folder that a test puts on the path."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from nestrec.plugins import load_plugins


@contextmanager
def installed_package(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, entries: Mapping[str, str]
) -> Iterator[None]:
    """Install a package of one module for a while; `entries` maps `group:name` to an attribute of the module."""
    (folder / f"{name}.py").write_text(source, encoding="utf-8")
    write_entry_points(folder, name, name, entries)
    with monkeypatch.context() as patch:
        patch.syspath_prepend(folder)
        load_plugins.cache_clear()
        try:
            yield
        finally:
            load_plugins.cache_clear()


def write_entry_points(folder: Path, name: str, module: str, entries: Mapping[str, str]) -> None:
    """Write the metadata of a package whose entry points name attributes of a module."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    lines = [f"[{key.split(':')[0]}]\n{key.split(':')[1]} = {module}:{named}\n" for key, named in entries.items()]
    (metadata / "entry_points.txt").write_text("".join(lines), encoding="utf-8")

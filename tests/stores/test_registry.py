"""Stores by name: those of plug-ins, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestrec.errors import OptionError
from nestrec.stores import ExportRequest, export, open_store
from nestrec.stores.registry import list_targets, make_target
from tests.plugin_packages import installed_package
from tests.stores.engines import model_of

PLUGIN = """
from dataclasses import dataclass
from typing import ClassVar

from nestrec.stores.duckdb_store import DuckDBStore

@dataclass(frozen=True)
class LakeTarget:
    name: ClassVar[str] = "lake"
    region: str = "north"

    def open(self, place):
        return LakeStore(f"{place}-{self.region}")

class LakeStore(DuckDBStore):
    name = "lake"
"""


def test_a_plugin_is_a_store_like_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with installed_package(tmp_path, monkeypatch, "lake_store", PLUGIN, {"nestrec.stores:lake": "LakeTarget"}):
        assert list(list_targets())[-1] == "lake"
        model = model_of(5)
        with open_store(tmp_path / "data", "lake", region="south") as store:
            export(model, store, ExportRequest(widths=(8,)))
        with open_store(tmp_path / "data-south") as found:
            assert found.name == "lake"


def test_unknown_names_options_and_places_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="did you mean 'qdrant'"):
        make_target("qdrnat")
    with pytest.raises(OptionError, match="options of duckdb are none; got 'ef'"):
        make_target("duckdb", ef=5)
    with pytest.raises(OptionError, match="store must be named"):
        open_store(tmp_path)

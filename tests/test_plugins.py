"""Plug-ins are found by their entry points, and one that is broken is named with its package."""

from __future__ import annotations

from pathlib import Path

import pytest

from nestrec.errors import PluginError
from nestrec.plugins import load_plugins, merge_plugins
from tests.plugin_packages import installed_package

GROUP = "nestrec.tests"


def test_plugins_of_an_installed_package_are_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = {f"{GROUP}:second": "B", f"{GROUP}:first": "A"}
    with installed_package(tmp_path, monkeypatch, "pair_of_plugins", "A, B = 1, 2\n", entries):
        assert load_plugins(GROUP) == {"first": 1, "second": 2}
    assert load_plugins(GROUP) == {}


def test_a_plugin_that_cannot_be_imported_is_named_with_its_package(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "raise RuntimeError('out of order')\n"
    with (
        installed_package(tmp_path, monkeypatch, "broken_plugin", source, {f"{GROUP}:mine": "A"}),
        pytest.raises(PluginError, match=r"'mine'.*broken_plugin.*RuntimeError: out of order.*uninstall"),
    ):
        load_plugins(GROUP)


def test_a_plugin_cannot_take_the_name_of_a_built_in_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        installed_package(tmp_path, monkeypatch, "taken_name", "A = 1\n", {f"{GROUP}:recall": "A"}),
        pytest.raises(PluginError, match=r"differ from built-in names; got 'recall'"),
    ):
        merge_plugins(GROUP, {"recall": 0})


def test_two_packages_cannot_give_one_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        installed_package(tmp_path, monkeypatch, "one_package", "A = 1\n", {f"{GROUP}:mine": "A"}),
        installed_package(tmp_path, monkeypatch, "other_package", "A = 2\n", {f"{GROUP}:mine": "A"}),
        pytest.raises(PluginError, match=r"unique; got 'mine'.*one_package.*other_package|other_package.*one_package"),
    ):
        load_plugins(GROUP)

"""The error for a missing optional dependency says what to install."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nestrec.errors import MissingExtraError
from nestrec.extras import require


def test_a_missing_one_names_both_ways_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clone nothing is published under the name, so `nestrec[torch]` alone could not be installed."""
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(MissingExtraError) as told:
        require("torch", "torch", "the torch engine")
    for part in ("the torch engine needs torch", 'pip install "nestrec[torch]"', '".[torch]"'):
        assert part in str(told.value)


def test_one_that_is_broken_is_not_called_missing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "broken_library.py").write_text("import nothing_of_this_name")
    (tmp_path / "unloadable_library.py").write_text("raise OSError('libx.so: cannot open')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, why in (("broken_library", "nothing_of_this_name"), ("unloadable_library", "libx.so")):
        with pytest.raises(MissingExtraError, match=rf"cannot be imported \(.*{why}"):
            require(name, "torch", "the torch engine")


def test_what_is_there_is_returned() -> None:
    assert require("json", "torch", "a test") is sys.modules["json"]

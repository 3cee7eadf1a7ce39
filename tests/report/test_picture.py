"""The PNG, and what is told without matplotlib."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from nestrec.errors import MissingExtraError
from nestrec.report.page import charts_of
from nestrec.report.picture import write_picture
from tests.report.test_quality import ROWS


def test_the_picture_is_a_png(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    write_picture(tmp_path / "q.partial", "Quality", charts_of(ROWS, ["ndcg@20"]))
    assert (tmp_path / "q.partial").read_bytes().startswith(b"\x89PNG")


def test_without_matplotlib_the_way_to_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r'get it with pip install "nestrec\[plot\]"'):
        write_picture(tmp_path / "q.png", "Quality", charts_of(ROWS, ["ndcg@20"]))

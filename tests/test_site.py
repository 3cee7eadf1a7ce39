"""The documentation as a site: it builds in strict mode, fetches nothing, and its reference pages are complete."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import nestrec
from nestrec.cli.main import app

pytest.importorskip("material")

ROOT = Path(__file__).resolve().parents[1]
FETCHED = re.compile(r"<(?:script|img|iframe|source|link|video|audio)\b[^>]*?\b(?:src|href|srcset)=\"?https?://[^>]*>")
IMPORTED = re.compile(r"(?:url\(|@import )[\"']?https?://[^)\"']*")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site; links, anchors and cross-references that lead nowhere end it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    built = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


def api_reference(site: Path) -> str:
    return "".join(page.read_text(encoding="utf-8") for page in sorted((site / "reference" / "api").glob("*.html")))


def test_no_page_fetches_anything_from_elsewhere(site: Path) -> None:
    pages, sheets = sorted(site.rglob("*.html")), sorted(site.rglob("*.css"))
    assert len(pages) > 10
    assert [found for page in pages for found in FETCHED.findall(page.read_text(encoding="utf-8"))] == []
    assert [found for sheet in sheets for found in IMPORTED.findall(sheet.read_text(encoding="utf-8"))] == []


def test_every_public_name_is_in_the_api_reference(site: Path) -> None:
    page = api_reference(site)
    assert [name for name in dir(nestrec) if f'id="nestrec.{name}"' not in page] == []


def test_fields_of_options_are_shown_with_their_documentation(site: Path) -> None:
    page = api_reference(site)
    assert 'id="nestrec.Trainer.widths"' in page
    assert 'id="nestrec.ReadOptions.min_rating"' in page


def test_every_command_is_in_the_reference(site: Path) -> None:
    page = (site / "reference" / "cli.html").read_text(encoding="utf-8")
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    assert [name for name in commands if f'id="nestrec-{name}"' not in page] == []
    assert "--min-rating" in page

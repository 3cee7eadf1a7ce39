"""`nestrec datasets`: the list, and a download from a local server."""

from __future__ import annotations

import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from nestrec.data import datasets as public
from tests.cli.conftest import SMALL, Run

ROWS = "".join(f"{user}\t{item}\t4\t88\n" for user in range(30) for item in range(user % 5, 20, 3))


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Log nothing."""


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Serve a small archive in the place of MovieLens 100K."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("ml-100k/u.data", ROWS)
        archive.writestr("ml-100k/u.item", "1|Toy Story\n")
        archive.writestr("ml-100k/README", "terms\n")
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "ml-100k.zip").write_bytes(content.getvalue())
    described = replace(public.PUBLIC_DATASETS["ml-100k"], md5=hashlib.md5(content.getvalue()).hexdigest())
    monkeypatch.setitem(public.PUBLIC_DATASETS, "ml-100k", described)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        monkeypatch.setenv("NESTREC_DATASETS_URL", f"http://127.0.0.1:{server.server_port}")
        yield
        server.shutdown()
        thread.join()


def test_the_list_names_sets_sizes_licence_and_what_is_here(run: Run, tmp_path: Path) -> None:
    result = run("datasets", "--folder", tmp_path)
    assert result.code == 0
    for name in ("ml-100k", "ml-1m", "ml-20m", "ml-32m"):
        assert name in result.out
    assert "GroupLens" in result.out
    assert "yes" not in result.out
    assert str(tmp_path) in result.err


@pytest.mark.usefixtures("mirror")
@pytest.mark.parametrize("before", [True, False])
def test_download_prints_the_path_the_terms_and_a_command_that_works(run: Run, tmp_path: Path, before: bool) -> None:
    """--folder may be given before or after `download`."""
    folder = tmp_path / "data"
    place = ["--folder", folder]
    words = ["datasets", *place, "download", "ml-100k"] if before else ["datasets", "download", "ml-100k", *place]
    result = run(*words)
    assert result.code == 0, result.err
    assert Path(result.out.strip()).read_text() == ROWS
    assert "Full terms: https://" in result.err
    command = result.err.splitlines()[-1].split()
    assert command[:2] == ["nestrec", "train"]
    assert "--no-header" in command
    assert run("datasets", "--folder", folder).out.count("yes") == 1
    options = [word.strip("'") for word in command[2:]]
    options[options.index("--out") + 1] = str(tmp_path / "m")
    assert run("train", *options[:1], *options[1:], *SMALL).code == 0


def test_an_unknown_name_is_reported(run: Run) -> None:
    result = run("datasets", "download", "netflix")
    assert result.code == 2
    assert "data set 'netflix' is unknown; choose one of ml-latest-small, ml-100k" in result.err


@pytest.mark.usefixtures("mirror")
def test_a_failed_download_is_reported(run: Run, tmp_path: Path) -> None:
    result = run("datasets", "download", "ml-1m", "--folder", tmp_path / "data")
    assert result.code == 1
    assert result.err.splitlines()[-1].startswith("nestrec: http://127.0.0.1")

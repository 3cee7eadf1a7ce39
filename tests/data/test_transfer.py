"""Transfers against a server that cuts, ignores ranges, lies and refuses: what came stays, what is said is plain."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from nestrec.data import transfer
from nestrec.data.transfer import fetch, fetch_text
from nestrec.errors import DownloadError
from tests.data.file_server import FileServer, serving

CONTENTS = bytes(range(256)) * 4000  # a megabyte


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "*")
    with serving({"/file": CONTENTS}) as state:
        yield state


def test_a_file_comes_whole_and_progress_ends_at_its_size(server: FileServer, tmp_path: Path) -> None:
    steps: list[tuple[int, int | None]] = []
    fetch(f"{server.url}/file", tmp_path / "part", lambda done, total: steps.append((done, total)))
    assert (tmp_path / "part").read_bytes() == CONTENTS
    assert steps[-1] == (len(CONTENTS), len(CONTENTS))
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)


def test_a_file_of_untold_length_comes_whole(server: FileServer, tmp_path: Path) -> None:
    server.tells_length = False
    fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS


def test_an_interrupted_transfer_resumes_by_itself_while_it_advances(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [1000, 5000]
    fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS
    assert [asked for _, asked in server.requests] == [None, "bytes=1000-", "bytes=6000-"]


def test_a_transfer_that_gets_no_further_keeps_what_came_and_the_next_run_resumes(
    server: FileServer, tmp_path: Path
) -> None:
    server.cut_after = [1000, 0]
    with pytest.raises(DownloadError, match=r"ended early .* run it again to resume at byte 1000"):
        fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS[:1000]
    fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS
    assert server.requests[-1] == ("/file", "bytes=1000-")


def test_a_server_without_ranges_sends_all_again(server: FileServer, tmp_path: Path) -> None:
    server.knows_ranges = False
    (tmp_path / "part").write_bytes(b"an earlier piece")
    fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS


def test_a_server_without_ranges_that_always_cuts_is_not_asked_for_ever(server: FileServer, tmp_path: Path) -> None:
    server.knows_ranges = False
    server.cut_after = [1000] * 10
    with pytest.raises(DownloadError, match="ended early"):
        fetch(f"{server.url}/file", tmp_path / "part")
    assert len(server.requests) == 2


def test_a_part_that_is_whole_already_is_kept(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENTS)
    fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS
    assert len(server.requests) == 1


def test_a_part_longer_than_the_file_is_started_again(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").write_bytes(CONTENTS + b"more")
    fetch(f"{server.url}/file", tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == CONTENTS


def test_a_range_other_than_the_one_asked_for_is_refused(server: FileServer, tmp_path: Path) -> None:
    server.content_range = f"bytes 3-{len(CONTENTS) - 1}/{len(CONTENTS)}"
    (tmp_path / "part").write_bytes(CONTENTS[:1000])
    with pytest.raises(DownloadError, match=r"requested bytes from 1000 on, the server sent 'bytes 3-"):
        fetch(f"{server.url}/file", tmp_path / "part")


@pytest.mark.parametrize(
    ("status", "sentence"),
    [
        (404, r"/file: the server has no such file \(404 Not Found\); check the address"),
        (503, r"/file: the server answered 503 Service Unavailable; try again later"),
    ],
)
def test_a_refusal_is_reported_with_the_address_and_a_remedy(
    server: FileServer, tmp_path: Path, status: int, sentence: str
) -> None:
    server.status = status
    with pytest.raises(DownloadError, match=sentence):
        fetch(f"{server.url}/file", tmp_path / "part")
    with pytest.raises(DownloadError, match=sentence):
        fetch_text(f"{server.url}/file")


def test_no_network_is_reported_with_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(DownloadError, match=rf"127\.0\.0\.1:{port} cannot be reached .*check the network, or fetch"):
        fetch(f"http://127.0.0.1:{port}/file", tmp_path / "part")


def test_a_silent_server_is_given_up_after_the_timeout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setattr(transfer, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DownloadError, match=r"cannot be reached .*timed out"):
            fetch(f"http://127.0.0.1:{port}/file", tmp_path / "part")


def test_a_server_that_does_not_speak_http_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with serving({}) as state:
        monkeypatch.setattr(
            "http.server.BaseHTTPRequestHandler.send_error", lambda self, code: self.wfile.write(b"hi\n")
        )
        with pytest.raises(DownloadError, match="cannot be reached"):
            fetch(f"{state.url}/file", tmp_path / "part")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_reported_with_the_file_and_a_remedy(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "part").symlink_to("/dev/full")
    with pytest.raises(DownloadError, match=r"part cannot be written \(No space left on device\); make room"):
        fetch(f"{server.url}/file", tmp_path / "part")


def test_a_missing_folder_is_reported(server: FileServer, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"cannot be written \(No such file or directory\);.*another folder"):
        fetch(f"{server.url}/file", tmp_path / "missing" / "part")

"""Public data sets against a local server: fetched once, checked, unpacked whole or not at all, and readable."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from nestrec.atomic.locks import FileLock
from nestrec.data import datasets as public
from nestrec.data.datasets import PUBLIC_DATASETS, download, find_downloaded, get_dataset, get_default_folder
from nestrec.errors import DownloadError, OptionError
from tests.data.file_server import FileServer, serving
from tests.data.reports import read_with_report

ROWS = [(1, 50, 5.0, 881250949), (1, 172, 3.0, 881250950), (2, 50, 4.0, 881250951)]


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, contents in members.items():
            archive.writestr(name, contents)
    return buffer.getvalue()


def contents_of(data: public.PublicDataset) -> bytes:
    """Write the rows as the publisher writes them."""
    delimiter = data.options.delimiter or ","
    lines = [] if delimiter != "," else ["userId,movieId,rating,timestamp"]
    lines += [delimiter.join(map(str, row)) for row in ROWS]
    return ("\n".join(lines) + "\n").encode()


def archive_of(data: public.PublicDataset) -> bytes:
    extra = dict.fromkeys(data.others, b"text")
    return zipped(
        {data.interactions: contents_of(data), **extra, "ml-20m/genome-scores.csv": b"large", "../evil": b"x"}
    )


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[FileServer]:
    """Serve small archives under the publisher's names, and make their checksums the expected ones."""
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.delenv(public.MIRROR_VARIABLE, raising=False)
    with serving({}) as state:
        for name, data in list(PUBLIC_DATASETS.items()):
            contents = archive_of(data)
            md5 = hashlib.md5(contents).hexdigest()
            state.files[f"/{data.archive}"] = contents
            state.files[f"/{data.archive}.md5"] = f"MD5 ({data.archive}) = {md5}\n".encode()
            monkeypatch.setitem(PUBLIC_DATASETS, name, replace(data, md5=data.md5 and md5))
        monkeypatch.setenv(public.MIRROR_VARIABLE, state.url + "/")
        yield state


@pytest.mark.parametrize("name", PUBLIC_DATASETS)
def test_every_set_downloads_and_reads_with_its_options(server: FileServer, tmp_path: Path, name: str) -> None:
    data = get_dataset(name)
    path = download(name, tmp_path)
    options = replace(data.options, keep_timestamps=True, min_rating=4)
    interactions, report = read_with_report(path, options=options)
    assert report.n_rows == 3
    assert interactions.users.ids.tolist() == [1, 2]
    assert interactions.items.ids.tolist() == [50]
    assert interactions.timestamps is not None
    assert interactions.timestamps.tolist() == [881250949.0, 881250951.0]


def test_only_wanted_files_are_left_and_nothing_is_written_outside(server: FileServer, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    assert download("ml-20m", folder) == folder / "ml-20m" / "ratings.csv"
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        "a/b/ml-20m/README.txt",
        "a/b/ml-20m/movies.csv",
        "a/b/ml-20m/ratings.csv",
    ]


def test_what_is_there_is_not_asked_for_again(server: FileServer, tmp_path: Path) -> None:
    assert find_downloaded("ml-1m", tmp_path) is None
    path = download("ml-1m", tmp_path)
    n_requests = len(server.requests)
    assert download("ml-1m", tmp_path) == path == find_downloaded("ml-1m", tmp_path)
    assert len(server.requests) == n_requests == 1


def test_an_interrupted_download_continues_in_the_next_run(server: FileServer, tmp_path: Path) -> None:
    server.cut_after = [100, 0]
    with pytest.raises(DownloadError, match="resume at byte 100"):
        download("ml-1m", tmp_path)
    assert (tmp_path / "ml-1m.zip.part").stat().st_size == 100
    assert download("ml-1m", tmp_path).read_bytes() == contents_of(get_dataset("ml-1m"))
    assert server.requests[-1] == ("/ml-1m.zip", "bytes=100-")


def test_an_archive_with_another_checksum_is_removed_and_reported(server: FileServer, tmp_path: Path) -> None:
    good = hashlib.md5(server.files["/ml-1m.zip"]).hexdigest()
    server.files["/ml-1m.zip"] = b"<html>please log in</html>"
    found = hashlib.md5(server.files["/ml-1m.zip"]).hexdigest()
    with pytest.raises(DownloadError, match=f"what came has MD5 {found}, its publisher states {good}; it was removed"):
        download("ml-1m", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_damaged_beginning_is_fetched_again_from_the_start(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "ml-1m.zip.part").write_bytes(b"not the beginning of that file")
    assert download("ml-1m", tmp_path).read_bytes() == contents_of(get_dataset("ml-1m"))
    assert [asked for _, asked in server.requests] == ["bytes=30-", None]


def test_a_set_that_changes_is_checked_against_the_publishers_own_file(server: FileServer, tmp_path: Path) -> None:
    server.files["/ml-latest-small.zip.md5"] = b"0" * 32 + b"  ml-latest-small.zip\n"
    with pytest.raises(DownloadError, match=f"its publisher states {'0' * 32}"):
        download("ml-latest-small", tmp_path)
    server.files["/ml-latest-small.zip.md5"] = b"<html>"
    with pytest.raises(DownloadError, match="'<html>' holds no MD5 checksum"):
        download("ml-latest-small", tmp_path)


def test_an_archive_put_there_by_hand_needs_no_network(server: FileServer, tmp_path: Path) -> None:
    for name in ("ml-1m", "ml-latest-small"):
        (tmp_path / f"{name}.zip").write_bytes(server.files[f"/{name}.zip"])
        assert download(name, tmp_path).is_file()
        assert (tmp_path / f"{name}.zip").is_file(), "it is the user's"
    assert server.requests == []


def test_two_downloads_never_write_into_one_piece(server: FileServer, tmp_path: Path) -> None:
    lock = FileLock(tmp_path / ".ml-1m.zip.part.lock")
    with pytest.raises(DownloadError, match="another run is downloading"):
        download("ml-1m", tmp_path)
    lock.release(delete=True)
    assert download("ml-1m", tmp_path).is_file()


def test_a_wrong_archive_put_there_by_hand_is_refused_and_left(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "ml-1m.zip").write_bytes(b"something else")
    with pytest.raises(DownloadError, match=r"ml-1m\.zip has MD5 .*remove it to download it again"):
        download("ml-1m", tmp_path)
    assert (tmp_path / "ml-1m.zip").read_bytes() == b"something else"


@pytest.mark.parametrize(
    ("contents", "sentence"),
    [
        (b"no zip at all", r"is damaged \(File is not a zip file\)"),
        (zipped({"other/ratings.csv": b""}), r"holds no ml-latest-small/ratings\.csv"),
    ],
)
def test_an_unfit_archive_leaves_no_folder(server: FileServer, tmp_path: Path, contents: bytes, sentence: str) -> None:
    (tmp_path / "ml-latest-small.zip").write_bytes(contents)
    with pytest.raises(DownloadError, match=sentence):
        download("ml-latest-small", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ml-latest-small.zip"]


def test_a_member_that_is_damaged_leaves_no_folder(server: FileServer, tmp_path: Path) -> None:
    contents = bytearray(zipped({"ml-latest-small/ratings.csv": b"user,item\n" * 1000}))
    contents[60:70] = b"\0" * 10
    (tmp_path / "ml-latest-small.zip").write_bytes(contents)
    with pytest.raises(DownloadError, match="is damaged"):
        download("ml-latest-small", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["ml-latest-small.zip"]


def test_too_little_room_is_reported_before_anything_is_fetched(
    server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda folder: SimpleNamespace(free=10**6))
    with pytest.raises(DownloadError, match=r"has 1 MB free and 199 MB are needed; make room"):
        download("ml-20m", tmp_path)
    assert server.requests == []


def test_a_folder_without_the_interactions_is_left_alone(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "ml-1m").mkdir()
    with pytest.raises(DownloadError, match=r"ml-1m exists and holds no ratings\.dat; remove it"):
        download("ml-1m", tmp_path)


def test_a_folder_that_cannot_be_made_is_reported(server: FileServer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DownloadError, match=r"cannot be written .*choose another folder"):
        download("ml-1m", tmp_path / "file" / "folder")


def test_unknown_names_and_addresses_are_refused(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="data set 'ml-2m' is unknown; choose one of ml-latest-small, ml-100k"):
        download("ml-2m", tmp_path)
    with pytest.raises(OptionError, match="must begin with https:// or http://, got 'file:///etc'"):
        download("ml-1m", tmp_path, base_url="file:///etc")


def test_a_given_address_goes_before_the_environment(server: FileServer, tmp_path: Path) -> None:
    server.files["/mirror/ml-1m.zip"] = server.files["/ml-1m.zip"]
    download("ml-1m", tmp_path, base_url=f"{server.url}/mirror/")
    assert server.requests == [("/mirror/ml-1m.zip", None)]


def test_the_default_folder_follows_the_cache_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert get_default_folder() == tmp_path / "nestrec" / "datasets"
    for ignored in ("", "relative"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert get_default_folder() == Path.home() / ".cache" / "nestrec" / "datasets"


def test_each_set_says_where_it_is_from_and_under_which_terms() -> None:
    assert {"ml-100k", "ml-1m", "ml-20m", "ml-32m"} <= set(PUBLIC_DATASETS)
    for name, data in PUBLIC_DATASETS.items():
        assert data.name == name
        assert data.url.startswith("https://files.grouplens.org/")
        assert data.licence_url.startswith("https://files.grouplens.org/")
        assert "research" in data.licence
        assert "Harper" in data.citation
        assert data.md5 is None or len(bytes.fromhex(data.md5)) == 16

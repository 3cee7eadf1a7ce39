"""Where interactions come from: names, pipes, packings, folders, lists of files, databases."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sqlite3
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.feather
import pytest

from nestrec.data.read_options import ReadOptions
from nestrec.data.readers import spooling
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError, OptionError
from tests.data.reports import read_with_report
from tests.data.test_reading import CSV, PAIRS, pairs_of

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

COLUMNS = {"user_id": [7, 10, 7], "item_id": ["b", "a", "a"]}
ODD_NAMES = [
    "ratings[1]", "what?", "s*r", "[!a]", "{a,b}", "back\\slash", "per%20cent", "q'uote", 'd"q', "new\nline", "sp ace",
    "-dash", "é😀", "user=5", ".hidden", "~", "a::b", "\\[x]", "%s", "$HOME", "#x", "a;b", "x\udcff",
]  # fmt: skip


def _zip(contents: bytes, name: str = "x.csv") -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, contents)
    return packed.getvalue()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress, "zst": zstd.compress, "bz2": bz2.compress, "xz": lzma.compress, "zip": _zip,
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_name_is_a_name_and_never_a_pattern(tmp_path: Path, name: str) -> None:
    """`ratings[1].parquet` read its neighbour ratings1.parquet, and `what?.parquet` every file that matched."""
    for decoy in ("ratings1", "whatx", "sxr", "b", "a", "slash"):
        pl.DataFrame({"user": ["wrong"], "item": ["wrong"]}).write_parquet(tmp_path / f"{decoy}.parquet")
    for folder in (tmp_path, tmp_path / "in[1]*?", tmp_path / name.replace("~", "x")):
        folder.mkdir(exist_ok=True)
        path = folder / f"{name}.parquet"
        with path.open("wb") as file:
            pl.DataFrame(COLUMNS).write_parquet(file)
        interactions, report = read_with_report(path)
        assert pairs_of(interactions) == PAIRS
        assert report.source == str(path)
        text = path.with_suffix(".csv")
        text.write_text(CSV)
        assert pairs_of(read_interactions(str(text))) == PAIRS


@pytest.mark.parametrize(
    ("url", "way_out"),
    [
        ("https://example.org/ratings.csv", "curl"),
        ("s3://bucket/ratings.parquet", "aws s3 cp"),
        ("gs://bucket/ratings.parquet", "gcloud"),
        ("hdfs://host/x.csv", "hdfs"),
        ("file:///data/x.csv", "path alone"),
        ("abfs://x/y.csv", "download"),
    ],
)
def test_urls_are_refused_with_the_way_to_fetch_them(url: str, way_out: str) -> None:
    for source in (url, Path(url)):  # a Path keeps one slash only
        with pytest.raises(DataError, match=f"is a URL.*{way_out}"):
            read_interactions(source)


@pytest.mark.parametrize("source", ["", "a\0b.csv"])
def test_paths_that_can_be_none_are_refused(source: str) -> None:
    with pytest.raises(DataError, match="the path"):
        read_interactions(source)


# Packed


@pytest.mark.parametrize("packing", PACK)
@pytest.mark.parametrize("name", ["x.csv", "x", "misnamed.csv"])
def test_every_packing_is_read(tmp_path: Path, packing: str, name: str) -> None:
    path = tmp_path / (name if name == "misnamed.csv" else f"{name}.{packing}")
    path.write_bytes(PACK[packing](CSV.encode()))
    interactions, report = read_with_report(path)
    assert pairs_of(interactions) == PAIRS
    assert report.format == "csv"


@pytest.mark.parametrize("packing", PACK)
def test_packed_parquet_is_read(tmp_path: Path, packing: str) -> None:
    plain = io.BytesIO()
    pl.DataFrame(COLUMNS).write_parquet(plain)
    pack = (lambda contents: _zip(contents, "x.parquet")) if packing == "zip" else PACK[packing]
    path = tmp_path / f"x.parquet.{packing}"
    path.write_bytes(pack(plain.getvalue()))
    assert pairs_of(read_interactions(path)) == PAIRS


@pytest.mark.parametrize("packing", PACK)
def test_a_packed_file_that_is_cut_off_or_damaged_is_refused(tmp_path: Path, packing: str) -> None:
    rows = b"".join(b"%d,%d\n" % (row, row * row) for row in range(100_000))
    pack = _with_checksum if packing == "zst" else PACK[packing]
    packed = pack(b"user,item\n" + rows)
    path = tmp_path / f"x.csv.{packing}"
    for part in (packed[: len(packed) // 2], packed[:-1], packed[:30], packed[:1000] + b"\xff" * 64 + packed[1064:]):
        path.write_bytes(part)
        with pytest.raises(DataError, match=r"cut off or damaged|is not"):
            read_interactions(path)


def _with_checksum(contents: bytes) -> bytes:
    """As the program zstd does; without it, changed bytes may unpack to other text."""
    return zstd.compress(contents, options={zstd.CompressionParameter.checksum_flag: 1})


@pytest.mark.parametrize("packing", ["gz", "zst", "bz2", "xz"])
def test_several_streams_in_one_file_are_read_as_one(tmp_path: Path, packing: str) -> None:
    """As `cat a.gz b.gz` makes it."""
    head, rows = CSV.encode()[:40], CSV.encode()[40:]
    padding = b"\0\0\0\0" if packing == "xz" else b""
    (tmp_path / f"x.csv.{packing}").write_bytes(PACK[packing](head) + padding + PACK[packing](rows) + padding)
    assert pairs_of(read_interactions(tmp_path / f"x.csv.{packing}")) == PAIRS


def test_xz_that_asks_for_gigabytes_is_refused(tmp_path: Path) -> None:
    """A few bytes can declare a dictionary of 4 GiB."""
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 1 << 30}]
    (tmp_path / "x.csv.xz").write_bytes(lzma.compress(CSV.encode(), filters=filters))
    with pytest.raises(DataError, match=r"cut off or damaged.*emory"):
        read_interactions(tmp_path / "x.csv.xz")


def test_what_is_packed_twice_is_reported(tmp_path: Path) -> None:
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(gzip.compress(CSV.encode())))
    with pytest.raises(DataError, match="packed"):
        read_interactions(tmp_path / "x.csv.gz")


def test_of_several_members_of_a_zip_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("ml/README.txt", "about")
        archive.writestr("ml/ratings.csv", CSV)
        archive.writestr("__MACOSX/._ratings.csv", "x")
    assert pairs_of(read_interactions(path)) == PAIRS  # the only file of data
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("ml/movies.csv", "movieId,title\n1,x\n")
    with pytest.raises(DataError, match=r"zip archive of 2 files.*::ml/ratings\.csv"):
        read_interactions(path)
    assert pairs_of(read_interactions(f"{path}::ml/ratings.csv")) == PAIRS
    with pytest.raises(DataError, match="has no member 'x'; its members are"):
        read_interactions(f"{path}::x")


def test_a_zip_with_a_member_without_a_name_is_refused(tmp_path: Path) -> None:
    """zipfile raised IndexError, of no error type of nestrec."""
    member, directory = b"PK\x03\x04" + bytes(26), b"PK\x01\x02" + bytes(42)
    sizes = len(directory).to_bytes(4, "little") + len(member).to_bytes(4, "little")
    (tmp_path / "x.zip").write_bytes(member + directory + b"PK\x05\x06" + bytes(4) + b"\1\0\1\0" + sizes + bytes(2))
    with pytest.raises(DataError):
        read_interactions(tmp_path / "x.zip")


def test_a_bomb_is_not_unpacked_to_disk_without_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spooling, "_ALWAYS_ALLOWED", 1 << 20)
    (tmp_path / "x.parquet.zst").write_bytes(zstd.compress(b"PAR1" + bytes(100 << 20)))
    with pytest.raises(DataError, match="unpacks to more than"):
        read_interactions(tmp_path / "x.parquet.zst")


# Kinds that are not read


@pytest.mark.parametrize(
    ("name", "contents", "way_out"),
    [
        ("x.xlsx", _zip(b"<x/>", "xl/workbook.xml"), "read_excel"),
        ("x.ods", b"PK-less", "read_excel"),
        ("x.pkl", b"\x80\x04\x95", "read_pickle"),
        ("x", b"\x80\x05\x95\x00", "read_pickle"),
        ("x.npy", b"\x93NUMPY\x01\x00", "scipy"),
        ("x.npz", _zip(b"\x93NUMPY", "indices.npy"), "scipy"),
        ("x.h5", b"\x89HDF\r\n\x1a\n\0", "read_hdf"),
        ("x.mat", b"MATLAB 5.0 MAT-file\0\0", "loadmat"),
        ("x.orc", b"ORC\0\1", "read_orc"),
        ("x.avro", b"Obj\x01\0", "Parquet"),
        ("x.csv", b"<!DOCTYPE html><html>404", "fetch the file"),
        ("x.csv", b"%PDF-1.7", "CSV"),
        ("x.tar.gz", gzip.compress(b"x" * 257 + b"ustar\0" + bytes(300)), "tar -xf"),
        ("x.lz4", b"\x04\x22\x4d\x18\0", "unpack"),
        ("x.dta", b"abc", "read_stata"),
    ],
)
def test_other_kinds_of_files_are_refused_with_the_way_to_convert_them(
    tmp_path: Path, name: str, contents: bytes, way_out: str
) -> None:
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(DataError, match=way_out):
        read_interactions(tmp_path / name)


@pytest.mark.parametrize("header", ["ORCID,item", "PARENT,item", "FEA1,item", "user_id,DUCK", "MATLAB 5.0 MAT-file,i"])
def test_names_of_columns_that_look_like_signatures_are_text(tmp_path: Path, header: str) -> None:
    (tmp_path / "x.csv").write_text(f"{header}\n1,2\n")
    options = ReadOptions(user_column=1, item_column=2, header=True)
    assert pairs_of(read_interactions(tmp_path / "x.csv", options=options)) == {("1", "2")}


# Pipes


def _fifo(folder: Path, contents: bytes) -> Path:
    path = folder / "pipe"
    os.mkfifo(path)

    def write() -> None:
        with suppress(BrokenPipeError):
            path.write_bytes(contents)

    Thread(target=write, daemon=True).start()
    return path


@pytest.mark.parametrize("packing", ["", "gz", "zst", "bz2", "xz"])
def test_a_pipe_is_read_like_a_file(tmp_path: Path, packing: str) -> None:
    """It ended with "the output cannot be used (None)"."""
    path = _fifo(tmp_path, PACK.get(packing, bytes)(CSV.encode() + b"8,c,1,1\n" * 100_000))
    interactions, report = read_with_report(path)
    assert pairs_of(interactions) == {*PAIRS, ("8", "c")}
    assert (report.format, report.n_rows) == ("csv", 100_003)


def test_formats_are_detected_by_contents_in_a_pipe(tmp_path: Path) -> None:
    interactions, report = read_with_report(_fifo(tmp_path, b'{"user": 7, "item": "b"}\n'))
    assert (report.format, pairs_of(interactions)) == ("jsonl", {("7", "b")})


def test_parquet_and_arrow_come_through_a_pipe(tmp_path: Path) -> None:
    writers: tuple[Callable[..., object], ...] = (pl.DataFrame.write_parquet, pl.DataFrame.write_ipc)
    for place, write in enumerate(writers):
        contents = io.BytesIO()
        write(pl.DataFrame(COLUMNS), contents)
        (tmp_path / str(place)).mkdir()
        assert pairs_of(read_interactions(_fifo(tmp_path / str(place), contents.getvalue()))) == PAIRS


def test_a_zip_in_a_pipe_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="in a pipe"):
        read_interactions(_fifo(tmp_path, _zip(CSV.encode())))


def _python(code: str, **how: Any) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=120, **how)
    assert done.returncode == 0, done.stderr
    return str(done.stdout).strip()


_COUNT = (
    "from nestrec.data.reading import read_interactions; r = read_interactions({!r}).report; print(r.source, r.n_rows)"
)


@pytest.mark.parametrize("name", ["-", "/dev/stdin"])
def test_standard_input_is_read_as_a_pipe_and_as_a_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    assert _python(_COUNT.format(name), input=CSV) == "standard input 3"
    with (tmp_path / "x.csv").open() as file:
        assert _python(_COUNT.format(name), stdin=file) == "standard input 3"
    with pytest.raises(DataError, match="once only"):
        read_interactions(["-", "-"])


@pytest.mark.parametrize("name", ["-", "/dev/null"])
def test_an_empty_or_closed_standard_input_is_reported(name: str) -> None:
    code = f"""
import os
from nestrec import NestrecError
from nestrec.data.reading import read_interactions
os.close(0)
try:
    read_interactions({name!r})
except NestrecError as error:
    print(error)
"""
    said = _python(code)
    assert ("standard input cannot be read" if name == "-" else "is empty") in said


def test_errors_of_reading_name_the_file_and_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They were reported as "the output cannot be used"."""
    import socket

    with socket.socket(socket.AF_UNIX) as server:
        monkeypatch.chdir(tmp_path)
        server.bind("socket")
        with pytest.raises(DataError, match=r"socket cannot be read \(No such device"):
            read_interactions("socket")
    with pytest.raises(DataError, match="/proc/self/mem cannot be read"):
        read_interactions("/proc/self/mem")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(DataError, match="loop cannot be read"):
        read_interactions("loop")
    with pytest.raises(DataError, match=r"cannot be read \(File name too long\)"):
        read_interactions("x" * 5000)


# Several files and folders


def _parts(folder: Path, write: Callable[[dict[str, list[Any]], Path], None], suffix: str, n_parts: int) -> list[Path]:
    folder.mkdir(exist_ok=True)
    rng = np.random.default_rng(1)
    users, items = (rng.integers(0, 50, 2000).tolist() for _ in range(2))
    bounds = np.linspace(0, len(users), n_parts + 1).astype(int).tolist()
    paths = []
    for place in range(n_parts):
        part = slice(bounds[place], bounds[place + 1])
        paths.append(folder / f"part-{place:03d}{suffix}")
        write({"user": users[part], "item": items[part]}, paths[-1])
    (folder / "_SUCCESS").touch()
    (folder / f".part-000{suffix}.crc").write_bytes(b"crc")
    return paths


def _write_csv(columns: dict[str, list[Any]], path: Path) -> None:
    pl.DataFrame(columns).write_csv(path)


def _write_json(columns: dict[str, list[Any]], path: Path) -> None:
    pl.DataFrame(columns).write_ndjson(path)


def _write_gz(columns: dict[str, list[Any]], path: Path) -> None:
    path.write_bytes(gzip.compress(pl.DataFrame(columns).write_csv().encode()))


def _write_parquet(columns: dict[str, list[Any]], path: Path) -> None:
    pl.DataFrame(columns).write_parquet(path)


def _write_packed_parquet(columns: dict[str, list[Any]], path: Path) -> None:
    plain = io.BytesIO()
    pl.DataFrame(columns).write_parquet(plain)
    path.write_bytes(gzip.compress(plain.getvalue()))


@pytest.mark.parametrize(
    ("write", "suffix"),
    [
        (_write_csv, ".csv"), (_write_json, ".jsonl"), (_write_gz, ".csv.gz"), (_write_parquet, ".parquet"),
        (_write_packed_parquet, ".parquet.gz"), (_write_csv, ""),
    ],
)  # fmt: skip
def test_the_number_of_files_changes_nothing(
    tmp_path: Path, write: Callable[[dict[str, list[Any]], Path], None], suffix: str
) -> None:
    whole, whole_report = read_with_report(_parts(tmp_path / "whole", write, suffix, 1)[0])
    paths = _parts(tmp_path / "parts", write, suffix, 7)
    for source in (tmp_path / "parts", paths, [str(path) for path in reversed(paths)], [tmp_path / "parts"]):
        interactions, report = read_with_report(source)
        assert interactions.users == whole.users
        assert interactions.items == whole.items
        np.testing.assert_array_equal(interactions.indptr, whole.indptr)
        np.testing.assert_array_equal(interactions.indices, whole.indices)
        assert (report.n_rows, report.rejected) == (whole_report.n_rows, whole_report.rejected)
        assert report.format == whole_report.format
        assert any("7 files" in line for line in report.lines())


def test_empty_parts_are_passed_over_and_counted(tmp_path: Path) -> None:
    (tmp_path / "0.csv").touch()
    (tmp_path / "1.csv").write_text(CSV)
    (tmp_path / "2.csv").write_text(CSV.splitlines()[0] + "\n")
    interactions, report = read_with_report(tmp_path)
    assert pairs_of(interactions) == PAIRS
    assert any("1 of the files" in note for note in report.notes)
    for path in tmp_path.iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="none of the 3 files holds anything"):
        read_interactions(tmp_path)


def test_rejected_rows_are_reported_by_file_and_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    (tmp_path / "b.csv").write_text("user,item\n1,3\n,4\n")
    _, report = read_with_report(tmp_path)
    assert str(report.examples["the user id is missing"][0]).startswith(f"{tmp_path / 'b.csv'}, line 3: ")
    with pytest.raises(DataError, match=r"b\.csv, line 3"):
        read_interactions(tmp_path, options=ReadOptions(strict=True))


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("user,item\n1,2\n")
    (tmp_path / "b.csv").write_text("customer,item\n1,3\n")
    with pytest.raises(DataError, match="different columns"):
        read_interactions(tmp_path)
    (tmp_path / "b.csv").write_text("movie,title\n1,3\n")
    with pytest.raises(DataError, match=r"b\.csv has no column of users"):
        read_interactions(tmp_path)
    (tmp_path / "b.csv").rename(tmp_path / "b.tsv")
    with pytest.raises(DataError, match=r"different kinds \(\.csv, \.tsv\)"):
        read_interactions(tmp_path)
    pl.DataFrame(COLUMNS).write_parquet(tmp_path / "p.parquet")
    for pair in (["a.csv", "p.parquet"], ["p.parquet", "a.csv"]):
        with pytest.raises(DataError, match="of one format"):
            read_interactions([tmp_path / name for name in pair])
    with pytest.raises(DataError, match="does not exist"):
        read_interactions([tmp_path / "a.csv", tmp_path / "c.csv"])


@pytest.mark.parametrize(
    ("inside", "sentence"), [("_delta_log", "Delta Lake"), (".hoodie", "Hudi"), ("test", "folder")]
)
def test_folders_that_are_more_than_files_are_refused(tmp_path: Path, inside: str, sentence: str) -> None:
    pl.DataFrame(COLUMNS).write_parquet(tmp_path / "a.parquet")
    (tmp_path / inside).mkdir()
    with pytest.raises(DataError, match=sentence):
        read_interactions(tmp_path)


def test_columns_of_partitions_are_columns_and_text(tmp_path: Path) -> None:
    """Leading zeros stay: duckdb would make numbers of them."""
    for user, items in (("007", ["a", "b"]), ("7", ["a"]), ("x[1]", ["c"])):
        folder = tmp_path / "lake*" / f"user={user}" / "day=2024-01-01"
        folder.mkdir(parents=True)
        pl.DataFrame({"item": items}).write_parquet(folder / "part-0.parquet")
    interactions, report = read_with_report(tmp_path / "lake*")
    assert pairs_of(interactions) == {("007", "a"), ("007", "b"), ("7", "a"), ("x[1]", "c")}
    assert any("3 files" in note for note in report.notes)
    one = tmp_path / "lake*" / "user=7" / "day=2024-01-01" / "part-0.parquet"
    with pytest.raises(DataError, match="no column of users among 'item'"):
        read_interactions(one)  # named by itself, a file is what it holds


# Databases and Arrow files


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "shop.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE clicks (user_id, item_id TEXT, rating REAL, ts)")
    rows = [
        (7, "b", 5, 1), (10, "a", 3, 2), (7.0, "a", 4, 3), (None, "a", 1, 1), (b"\xff", "a", 1, 1), (1.5, "a", 1, 1),
        (8, "", 1, 1), (8, "z", "x", 1), (2**63 - 1, "é", 1.5, "2020-01-01"),
    ]  # fmt: skip
    connection.executemany("INSERT INTO clicks VALUES (?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return path


def test_a_table_of_sqlite_is_read(database: Path) -> None:
    assert ("8", "z") in pairs_of(read_interactions(database))  # without a rating
    interactions, report = read_with_report(database, options=ReadOptions(min_rating=-100))
    assert pairs_of(interactions) == {*PAIRS, (str(2**63 - 1), "é")}
    assert report.format == "sqlite"
    assert report.n_rows == 9 == report.n_kept + sum(report.rejected.values())
    assert report.rejected == {
        "the user id is missing": 1, "the item id is missing": 1, "the id is not UTF-8 text": 1,
        "the id is neither a whole number nor text": 1, "the rating is not a finite number": 1,
    }  # fmt: skip
    before = database.read_bytes()
    connection = sqlite3.connect(database)
    connection.execute('CREATE TABLE "other table" (u, i)')
    connection.execute('INSERT INTO "other table" VALUES (1, 2)')
    connection.commit()
    connection.close()
    with pytest.raises(DataError, match=r"several tables \(clicks, other table\).*::clicks"):
        read_interactions(database)
    assert pairs_of(read_interactions(f"{database}::other table")) == {("1", "2")}
    with pytest.raises(DataError, match="has no table 'x'"):
        read_interactions(f"{database}::x")
    database.write_bytes(before[: len(before) // 2])
    with pytest.raises(DataError, match="cannot be read as a SQLite database"):
        read_interactions(f"{database}::clicks")
    with pytest.raises(OptionError, match="delimiter"):
        read_interactions(f"{database}::clicks", options=ReadOptions(delimiter=","))


def test_a_damaged_schema_whose_message_is_not_utf8_is_refused(tmp_path: Path) -> None:
    """sqlite3 raised UnicodeDecodeError, of no error type of nestrec."""
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE clicks (user_id, item_id)")
    connection.close()
    path.write_bytes(
        path.read_bytes().replace(b"clicksclicks", b"cl\xf3cksclicks").replace(b"CREATE TABLE", b"CREATE TXBLE")
    )
    with pytest.raises(DataError, match="cannot be read as a SQLite database"):
        read_interactions(path)


def test_a_table_of_duckdb_is_read(tmp_path: Path) -> None:
    path = tmp_path / "shop's [1].duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE clicks AS FROM (VALUES (7, 'b'), (10, 'a'), (7, 'a')) AS t(user_id, item_id)")
    interactions, report = read_with_report(path)
    assert (pairs_of(interactions), report.format) == (PAIRS, "duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE VIEW few AS FROM clicks LIMIT 1; CREATE SCHEMA s; CREATE TABLE s.t (x INTEGER)")
    with pytest.raises(DataError, match=r"several tables \(clicks, few, s\.t\)"):
        read_interactions(path)
    assert len(pairs_of(read_interactions(f"{path}::few"))) == 1
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(DataError, match="cannot be read as a DuckDB database"):
        read_interactions(f"{path}::clicks")


def test_arrow_files_are_read(tmp_path: Path) -> None:
    table = pa.table(COLUMNS)
    pa.feather.write_feather(table, str(tmp_path / "x.feather"), compression="zstd")
    with pa.ipc.new_stream(str(tmp_path / "x.arrows"), table.schema) as stream:
        stream.write_table(table)
    for name in ("x.feather", "x.arrows"):
        interactions, report = read_with_report(tmp_path / name)
        assert (pairs_of(interactions), report.format) == (PAIRS, "arrow")
    (tmp_path / "y.feather").write_bytes((tmp_path / "x.feather").read_bytes()[:200])
    with pytest.raises(DataError, match="is no Arrow file that can be read"):
        read_interactions(tmp_path / "y.feather")


def test_without_pyarrow_an_arrow_file_is_refused_with_the_way_to_read_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pl.DataFrame(COLUMNS).write_ipc(tmp_path / "x.arrow")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ImportError, match="pip install pyarrow"):
        read_interactions(tmp_path / "x.arrow")


def test_a_part_of_what_has_no_parts_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    with pytest.raises(DataError, match="neither a zip archive nor a database"):
        read_interactions(f"{tmp_path / 'x.csv'}::ratings")


def test_nothing_is_left_in_the_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    contents = io.BytesIO()
    pl.DataFrame(COLUMNS).write_parquet(contents)
    data = tmp_path / "data"
    data.mkdir()
    (data / "x.parquet.gz").write_bytes(gzip.compress(contents.getvalue()))
    read_interactions(data / "x.parquet.gz")
    (data / "x.parquet.gz").write_bytes(gzip.compress(contents.getvalue()[:-20]))
    with pytest.raises(DataError, match="no Parquet file"):
        read_interactions(data / "x.parquet.gz")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_a_temporary_folder_that_cannot_be_written_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    contents = io.BytesIO()
    pl.DataFrame(COLUMNS).write_parquet(contents)
    (tmp_path / "x.parquet").write_bytes(contents.getvalue())
    (tmp_path / "x.parquet.gz").write_bytes(gzip.compress(contents.getvalue()))
    with pytest.raises(DataError, match="TMPDIR"):
        read_interactions(tmp_path / "x.parquet.gz")


def test_files_need_no_write_permission(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text(CSV)
    (tmp_path / "x.csv").chmod(stat.S_IRUSR)
    assert pairs_of(read_interactions(tmp_path / "x.csv")) == PAIRS

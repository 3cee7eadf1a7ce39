"""Small data need no temporary folder; where one is needed and cannot be used, the sentence says so."""

from __future__ import annotations

import errno
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nestrec.data.pairs import PairStore
from nestrec.data.read_options import ReadOptions
from nestrec.data.reading import read_interactions
from nestrec.errors import DataError

ROWS = pd.DataFrame({"user": [1, 2, 2], "item": [1, 1, 3]})


@pytest.fixture
def no_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine on which no temporary file can be made, as with a read-only root."""

    make = tempfile.TemporaryFile

    def fail(*_: Any, **options: Any) -> Any:
        if options.get("dir"):  # the cache of compiled kernels tries whether it can be written
            return make(**options)
        raise FileNotFoundError(errno.ENOENT, "No usable temporary directory found in ['/tmp']")

    for name in ("TemporaryFile", "NamedTemporaryFile", "TemporaryDirectory", "mkdtemp", "mkstemp", "gettempdir"):
        monkeypatch.setattr(tempfile, name, fail)


@pytest.mark.usefixtures("no_temporary_folder")
def test_small_data_are_read_without_a_temporary_folder(tmp_path: Path) -> None:
    """Four hundred rows were refused, as if the output could not be used."""
    ROWS.to_csv(tmp_path / "x.csv", index=False)
    ROWS.to_json(tmp_path / "x.jsonl", orient="records", lines=True)
    ROWS.to_parquet(tmp_path / "x.parquet")
    for source in (tmp_path / "x.csv", tmp_path / "x.jsonl", tmp_path / "x.parquet", ROWS, ROWS.to_dict("list")):
        assert read_interactions(source).n_interactions == 3


@pytest.mark.usefixtures("no_temporary_folder")
def test_pairs_beyond_the_limit_need_one_and_the_sentence_says_so() -> None:
    ids = np.arange(10, dtype=np.int32)
    with (
        PairStore(10, with_times=False) as store,
        pytest.raises(
            DataError, match=r"temporary file, and that fails \(No usable temporary.*; set TMPDIR to a folder"
        ),
    ):
        store.add(ids, ids, None)


@pytest.mark.parametrize("method", ["write", "read"])
def test_a_full_or_broken_temporary_folder_is_reported(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken:
        def write(self, _: object) -> int:
            if method == "write":
                raise OSError(errno.ENOSPC, "No space left on device")
            return 0

        def read(self, _: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        def seek(self, *_: int) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr("nestrec.data.spill.open_temporary_file", lambda _: Broken())
    ids = np.arange(10, dtype=np.int32)
    with PairStore(10, with_times=False) as store:
        if method == "write":
            with pytest.raises(DataError, match=r"that fails \(No space left.*TMPDIR"):
                store.add(ids, ids, None)
            return
        store.add(ids, ids, None)
        with pytest.raises(DataError, match=r"that fails \(Input/output error.*TMPDIR"):
            store.rows(ids, ids, 1)


@pytest.mark.parametrize("name", ["x.csv", "x.jsonl", "x.txt"])
def test_a_file_that_fails_midway_is_named(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error of the disk was reported as an output that cannot be used."""
    from nestrec.data.readers.byte_source import ByteSource

    line = {"x.csv": b"1,2\n", "x.jsonl": b'{"user": 1, "item": 2}\n', "x.txt": b"1 2 3\n"}[name]
    (tmp_path / name).write_bytes((b"user,item\n" if name == "x.csv" else b"") + line * 400_000)
    source = ByteSource._unpack
    calls = []

    def unpack(self: ByteSource, n_bytes: int) -> bytes:
        calls.append(n_bytes)
        if len(calls) > 1:
            monkeypatch.setattr(self, "_stream", _Failing())
        return source(self, n_bytes)

    class _Failing:
        def read(self, _: int) -> bytes:
            raise OSError(errno.EIO, "Input/output error")

        def close(self) -> None:
            pass

    monkeypatch.setattr(ByteSource, "_unpack", unpack)
    options = ReadOptions(threads=1, format="adjacency" if name == "x.txt" else None)
    with pytest.raises(DataError, match=rf"{name} cannot be read.*Input/output error"):
        read_interactions(tmp_path / name, options=options)

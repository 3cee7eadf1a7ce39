"""The table of formats: built-in ones, and those of other packages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from nestrec.data import formats
from nestrec.data.formats import FORMATS, Format, find_by_extension, find_by_signature, selectable_formats
from nestrec.data.id_index import TextIds
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Batch, FileReader
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.rejections import RejectionLog
from nestrec.errors import OptionError, PluginError
from tests.data.reports import read_with_report


class PlusReader(FileReader):
    """Lines of `user+item`."""

    format = "plus"

    def batches(self, rejections: RejectionLog) -> Iterator[Batch]:
        view = bytearray(1 << 16)
        rows = bytes(view[: self._source.readinto(memoryview(view))]).split()
        users, items = ([row.split(b"+")[side] for row in rows] for side in (0, 1))
        yield Batch(TextIds.from_bytes(users), TextIds.from_bytes(items), n_read=len(rows))


def open_plus(source: ByteSource, options: ReadOptions) -> PlusReader:
    return PlusReader(source)


@pytest.fixture
def plug_in(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    def install(**plug_ins: Any) -> None:
        monkeypatch.setattr(formats, "merge_plugins", lambda _, built_in: {**built_in, **plug_ins})
        formats.load_formats.cache_clear()

    yield install
    formats.load_formats.cache_clear()


def test_a_format_of_another_package_is_read_by_extension_and_by_name(tmp_path: Path, plug_in: Any) -> None:
    plug_in(plus=Format("plus", open_plus, extensions=("plus",), excluded_options=("encoding",)))
    cases: list[tuple[str, dict[str, Any]]] = [("x.plus", {}), ("x.txt", {"format": "plus"})]
    for name, options in cases:
        (tmp_path / name).write_text("a+1 b+2 b+1")
        interactions, report = read_with_report(tmp_path / name, options=ReadOptions(**options))
        assert (interactions.n_users, interactions.n_items, report.n_kept, report.format) == (2, 2, 3, "plus")
    assert selectable_formats()[-1] == "plus"
    with pytest.raises(OptionError, match="encoding does not apply to interactions read as plus"):
        read_with_report(tmp_path / "x.plus", options=ReadOptions(encoding="latin-1"))


def test_a_binary_format_of_another_package_is_read_by_its_first_bytes(tmp_path: Path, plug_in: Any) -> None:
    plug_in(plus=Format("plus", open_plus, signatures=((0, b"7+7\n"),)))
    (tmp_path / "x").write_bytes(b"7+7\nb+2")
    assert read_with_report(tmp_path / "x")[1].format == "plus"


def test_a_plug_in_that_is_not_a_format_of_its_name_is_refused(tmp_path: Path, plug_in: Any) -> None:
    plug_in(plus=Format("minus", open_plus))
    with pytest.raises(PluginError, match="plus"):
        ReadOptions(format="plus")


def test_each_extension_and_signature_belongs_to_one_format() -> None:
    for name, format_ in FORMATS.items():
        for extension in format_.extensions:
            assert find_by_extension(extension) is FORMATS[name]
        for offset, signature in format_.signatures:
            assert find_by_signature(bytes(offset) + signature + bytes(8), "") is FORMATS[name]
    assert find_by_extension("txt") is None
    assert find_by_signature(b"user,item\n", "csv") is None


def test_excluded_options_are_fields_of_the_options() -> None:
    for format_ in FORMATS.values():
        assert set(format_.excluded_options) <= set(ReadOptions.__dataclass_fields__)


def test_a_parquet_file_of_another_name_is_read_where_the_format_is_given(tmp_path: Path) -> None:
    """The error for such a file asked for format='parquet', which gave the same error."""
    import pandas as pd

    pd.DataFrame({"user": [1], "item": [2]}).to_parquet(tmp_path / "x.csv")
    assert read_with_report(tmp_path / "x.csv", options=ReadOptions(format="parquet"))[1].n_kept == 1

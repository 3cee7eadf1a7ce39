"""Whole-number ids written as floats (`12.0`) are the same ids in every format."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from nestrec.data.ids import parse_decimal
from nestrec.data.reading import read_interactions
from tests.data.reports import read_with_report
from tests.data.test_reading import pairs_of

WHOLE = {("1", "7"), ("2", "7"), ("2", "8")}


def _csv(path: Path, users: list[str], items: list[str]) -> Path:
    rows = "".join(f"{user},{item}\n" for user, item in zip(users, items, strict=True))
    path.write_text("user,item\n" + rows)
    return path


def _json(path: Path, users: list[str], items: list[str]) -> Path:
    rows = [json.dumps({"user": user, "item": item}) for user, item in zip(users, items, strict=True)]
    path.write_text("\n".join(rows))
    return path.rename(path.with_suffix(".jsonl"))


def _parquet(path: Path, users: list[str], items: list[str]) -> Path:
    pd.DataFrame({"user": users, "item": items}).to_parquet(path.with_suffix(".parquet"))
    return path.with_suffix(".parquet")


def _packed(path: Path, users: list[str], items: list[str]) -> Path:
    packed = path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(_csv(path, users, items).read_bytes()))
    return packed


def _frame(path: Path, users: list[str], items: list[str]) -> Any:
    return pd.DataFrame({"user": users, "item": items})


def _columns(path: Path, users: list[str], items: list[str]) -> Any:
    return {"user": users, "item": items}


SOURCES = pytest.mark.parametrize("make", [_csv, _json, _parquet, _packed, _frame, _columns])


@SOURCES
def test_floats_become_whole_numbers_and_are_noted(tmp_path: Path, make: Callable[..., Any]) -> None:
    source = make(tmp_path / "x.csv", ["1.0", "2.0", "2.0", "2.0"], ["7", "7", "8", "8"])
    interactions, report = read_with_report(source)
    assert interactions.users.ids.dtype == np.int64
    assert pairs_of(interactions) == WHOLE
    assert report.n_rows == report.n_kept + sum(report.rejected.values())
    assert any("'1.0'" in note for note in report.notes)


@SOURCES
def test_12_and_12_0_are_one_user(tmp_path: Path, make: Callable[..., Any]) -> None:
    """They were two users; now their equal rows are repeats."""
    interactions, report = read_with_report(make(tmp_path / "x.csv", ["12", "12.0", "3.0"], ["7.0", "7", "1e+05"]))
    assert pairs_of(interactions) == {("12", "7"), ("3", "100000")}
    assert interactions.users.ids.tolist() == [3, 12]
    assert report.rejected == {"the same user and item stood in another row": 1}


@pytest.mark.parametrize("other", ["1.10", "v1.0", "1.00", "01.0", "-0.0", "1e5", "1.5e+00", "1e+16", "1.0 "])
def test_other_text_in_the_column_keeps_all_as_they_are(tmp_path: Path, other: str) -> None:
    columns = {"user": ["12", "12.0", other], "item": [1, 1, 1]}
    assert {user for user, _ in pairs_of(read_interactions(columns))} == {"12", "12.0", other}


def test_whole_numbers_beyond_64_bits_lose_their_decimals_too() -> None:
    huge = str(2**64)
    interactions = read_interactions({"user": [huge, "5.0", "5"], "item": [1, 1, 1]})
    assert pairs_of(interactions) == {(huge, "1"), ("5", "1")}


def test_the_two_forms_of_floats() -> None:
    forms = {"0.0": "0", "-3.0": "-3", "1e+05": "100000", "1.25e+06": "1250000", "-2e+01": "-20"}
    assert {text: parse_decimal(text) for text in forms} == forms
    for text in ("12", "1.", ".0", "1.25e+01", "0e+05", "1E+05", "1e+005", "nan", "1.0\n", ""):
        assert parse_decimal(text) is None

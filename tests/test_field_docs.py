"""`help` shows the docs of every field of the classes of options, read from the source and written once."""

from __future__ import annotations

import inspect
import pydoc
import subprocess
import sys
from dataclasses import fields, is_dataclass
from typing import Any

import pytest

import nestrec
from nestrec.field_docs import read_field_docs

OPTIONS = [
    value
    for value in (getattr(nestrec, name) for name in dir(nestrec))
    if is_dataclass(value) and isinstance(value, type) and read_field_docs(value)
    if value not in (nestrec.NestedEmbeddings, nestrec.Ranking, nestrec.Interactions)  # results
]


@pytest.mark.parametrize("cls", OPTIONS, ids=lambda cls: cls.__name__)
def test_help_shows_every_field_with_its_docs(cls: type[Any]) -> None:
    shown = " ".join(pydoc.plain(pydoc.render_doc(cls)).replace("|", " ").split())
    docs = read_field_docs(cls)
    for field in fields(cls):
        if field.init:
            assert f"{field.name}: " in shown
            assert (
                docs.get(field.name, "").replace("|", " ").split() == []
                or " ".join(docs[field.name].replace("|", " ").split()) in shown
            )


def test_every_field_of_the_trainer_has_docs() -> None:
    docs = read_field_docs(nestrec.Trainer)
    assert [field.name for field in fields(nestrec.Trainer) if field.name not in docs] == []
    assert len(OPTIONS) > 10


def test_the_summary_and_its_examples_stay() -> None:
    doc = inspect.getdoc(nestrec.Trainer) or ""
    assert doc.startswith("Options of the model to train")
    assert ">>> model.widths" in doc


def test_importing_reads_no_source() -> None:
    code = "import nestrec.training.samplers, nestrec.field_docs as f; print(f._read_module.cache_info().currsize)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0"

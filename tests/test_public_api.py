"""The public names: listed, sorted, documented with examples that run, and loaded only when used."""

from __future__ import annotations

import ast
import doctest
import importlib
import inspect
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

import nestrec

HEAVY = [
    "duckdb",
    "matplotlib",
    "numba",
    "numpy",
    "pandas",
    "pyarrow",
    "rich",
    "safetensors",
    "scipy",
    "torch",
    "typer",
]


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


NAMES: list[str] = vars(nestrec)["__all__"]
STUB = Path(nestrec.__file__).with_suffix(".pyi")
MODULES = {
    alias.name: f"nestrec.{node.module}"
    for node in ast.parse(STUB.read_text(encoding="utf-8")).body
    if isinstance(node, ast.ImportFrom)
    for alias in node.names
}


def test_the_names_listed_are_those_of_the_stub_and_no_others() -> None:
    assert NAMES == dir(nestrec) == sorted(MODULES)


def test_star_import_gives_every_name() -> None:
    assert run("from nestrec import *; print(Trainer.__name__, plan.__name__)") == "Trainer plan"


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_documented_with_an_example_that_runs(name: str) -> None:
    value = getattr(nestrec, name)
    assert inspect.getdoc(value), f"{name} has no docstring"
    bases = [base for base in getattr(value, "__mro__", (value,)) if base.__module__.startswith("nestrec.")] or [value]
    found = [test for base in bases for test in doctest.DocTestFinder(recurse=True).find(base, name)]
    examples = [test for test in found if test.examples]
    assert examples, f"{name} has no example"
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for example in examples:
        assert runner.run(example).failed == 0, f"an example of {example.name} fails"


@pytest.mark.parametrize("name", NAMES)
def test_every_public_method_is_documented(name: str) -> None:
    value: Any = getattr(nestrec, name)
    methods = [key for key in vars(value) if not key.startswith("_")] if inspect.isclass(value) else []
    undocumented = [key for key in methods if callable(getattr(value, key)) and not inspect.getdoc(getattr(value, key))]
    assert undocumented == []


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_the_one_of_its_module(name: str) -> None:
    assert getattr(nestrec, name) is getattr(importlib.import_module(MODULES[name]), name)


def test_importing_loads_nothing_heavy() -> None:
    loaded = run(f"import sys, nestrec; nestrec.__version__; print([m for m in {HEAVY} if m in sys.modules])")
    assert loaded == "[]"


def test_samplers_and_losses_are_imported_without_anything_heavy() -> None:
    """The options of `nestrec train` are read off them."""
    code = "import sys, nestrec.training.samplers, nestrec.training.engines"
    assert run(f"{code}; print([m for m in {HEAVY} if m in sys.modules])") == "[]"


def test_using_a_model_loads_only_what_answers_it() -> None:
    """numba imports scipy by itself."""
    code = f"import sys, nestrec; nestrec.NestedEmbeddings; print([m for m in {HEAVY} if m in sys.modules])"
    assert run(code) == "['numba', 'numpy', 'scipy']"


def test_importing_is_quick() -> None:
    started = time.perf_counter()
    run("pass")
    bare = time.perf_counter() - started
    best = min(
        float(run("import time; t = time.perf_counter(); import nestrec; print(time.perf_counter() - t)"))
        for _ in range(3)
    )
    assert best < max(0.1, bare)


def test_an_unknown_name_is_an_attribute_error() -> None:
    name = "nothing"
    with pytest.raises(AttributeError, match="nothing"):
        getattr(nestrec, name)


def test_the_version_is_the_packages() -> None:
    assert nestrec.__version__ == version("nestrec")

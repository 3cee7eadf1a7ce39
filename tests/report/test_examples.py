"""The examples in docstrings of report and command line run."""

from __future__ import annotations

import doctest
import pkgutil
from importlib import import_module

import pytest

import nestrec.cli
import nestrec.report

MODULES = [
    f"{package.__name__}.{module.name}"
    for package in (nestrec.cli, nestrec.report)
    for module in pkgutil.iter_modules(package.__path__)
]


@pytest.mark.parametrize("name", MODULES)
def test_examples_run(name: str) -> None:
    assert doctest.testmod(import_module(name)).failed == 0

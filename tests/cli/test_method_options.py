"""What `nestrec train` says of a method that an option selects."""

from __future__ import annotations

from typing import Any

import pytest

from nestrec.cli.method_options import MethodOptions


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"n_layers": 2}, "--layers selects --backbone lightgcn"),
        ({"n_hardest": 4}, "--hardest selects --sampler dynamic and --loss bpr"),
        ({"batch_size": 64}, "--batch-size selects --engine torch"),
        ({"n_layers": 2, "backbone": "lightgcn"}, ""),
        ({"temperature": 0.5}, ""),
        ({"temperature": 0.5, "temperature_ratio": 2.0}, "--temperature-ratio selects --loss bsl"),
        ({"n_candidates": 64}, ""),
        ({"n_hardest": 4, "loss": "bpr"}, ""),
    ],
)
def test_an_option_that_selects_a_method_is_announced(
    capsys: pytest.CaptureFixture[str], given: dict[str, Any], sentence: str
) -> None:
    options: Any = MethodOptions.with_class_options(set())
    options(**given).trainer({})
    assert capsys.readouterr().err.strip() == sentence

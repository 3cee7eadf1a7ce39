"""Threads of the linear algebra: held while a baseline works, given back afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info, threadpool_limits

from nestrec.baselines import ease, puresvd
from nestrec.baselines.blas import blas_threads
from nestrec.baselines.implicit_library import implicit_module
from nestrec.training.options import Run
from nestrec.widths import Widths
from tests.baselines.synthetic import small_data


def threads_in_use() -> set[int]:
    np.ones((2, 2)) @ np.ones((2, 2))
    return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}


def test_held_and_given_back_after_an_error_too() -> None:
    with threadpool_limits(2, "blas"):
        with pytest.raises(ZeroDivisionError, match=r"\{1\}"), blas_threads(1):
            raise ZeroDivisionError(threads_in_use())
        assert threads_in_use() == {2}


def test_implicit_has_one_thread_a_product_and_so_warns_of_nothing() -> None:
    pytest.importorskip("implicit")
    with threadpool_limits(2, "blas"):
        with implicit_module("als"):
            assert threads_in_use() == {1}
        assert threads_in_use() == {2}


@pytest.mark.parametrize(
    ("module", "inner", "method"), [(ease, "_invert", ease.Ease()), (puresvd, "_decompose", puresvd.PureSvd())]
)
def test_the_run_says_how_many(module: Any, inner: str, method: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    met = []
    former = getattr(module, inner)

    def watched(*arguments: Any) -> Any:
        met.append(threads_in_use())
        return former(*arguments)

    monkeypatch.setattr(module, inner, watched)
    for threads in (1, 2):
        method.fit(small_data()[0], Widths([4]), Run(threads=threads))
    assert met == [{1}, {2}]

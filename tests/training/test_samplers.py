"""Samplers are values."""

from __future__ import annotations

import pytest

from nestrec.training.samplers import LARGEST_POOL, DynamicSampler, UniformSampler


def test_samplers_compare_by_value() -> None:
    assert DynamicSampler(4) == DynamicSampler(4) != DynamicSampler(8)
    assert UniformSampler() == UniformSampler()
    assert len({DynamicSampler(4), DynamicSampler(4), UniformSampler()}) == 2


def test_samplers_say_how_many_candidates_they_draw() -> None:
    """None leaves it to the data; uniform sampling has nothing to choose from."""
    assert DynamicSampler().n_candidates is None
    assert DynamicSampler(LARGEST_POOL).n_candidates == LARGEST_POOL
    assert UniformSampler().n_candidates == 1


def test_samplers_do_not_change() -> None:
    with pytest.raises(AttributeError):
        DynamicSampler(4).n_candidates = 5  # type: ignore[misc]

"""A short version of `flips` and `fuzz_models`: no damage is silent, none raises anything but ModelFileError."""

from __future__ import annotations

from tests.faults import flips, fuzz_models


def test_every_flip_and_truncation_is_found() -> None:
    """Changed manifests were served, and a changed coarse index hung without verification."""
    found = flips.run(limit=600)
    assert found["refused"] >= 600
    assert sum(found[name] for name in ("silent", "foreign", "hang", "unverified_foreign", "unverified_hang")) == 0, (
        flips.EXAMPLES
    )


def test_mutated_models_are_refused_or_answer() -> None:
    """AttributeError, KeyError, OverflowError and RecursionError came through."""
    found = fuzz_models.run(600, seed=3)
    assert sum(found.values()) == 600
    assert found["refused"] > 300
    assert found["silent"] + found["foreign"] + found["hang"] == 0, fuzz_models.EXAMPLES

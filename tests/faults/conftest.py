"""One warm process for all tests that inject faults."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.faults.injector import missing
from tests.faults.laboratory import Laboratory


@pytest.fixture(scope="session")
def laboratory() -> Iterator[Laboratory]:
    """The laboratory; tests are skipped where faults cannot be injected."""
    if why := missing():
        pytest.skip(why)
    with Laboratory() as running:
        yield running

"""Events of training reach one callback or several, in order."""

from __future__ import annotations

import pytest

from nestrec.errors import OptionError
from nestrec.training.callbacks import Callback
from nestrec.training.options import Run
from tests.training.worlds import Recorder, quick, tiny


class Names(Callback):
    """Collects names shared with another callback; overrides one method alone."""

    def __init__(self, name: str, calls: list[str]) -> None:
        self.name, self.calls = name, calls

    def on_message(self, message: str) -> None:
        self.calls.append(self.name)


def test_all_callbacks_of_a_run_see_the_same_events() -> None:
    first, second = Recorder(), Recorder()
    quick().fit(tiny(), run=Run(deterministic=True, callbacks=[first, second]))
    assert first == second
    assert first.phases == ["search", "final"]
    assert len(first.reports) > 6
    assert sum(first.n_advanced) > 0


def test_callbacks_are_called_in_order_and_may_handle_one_event_alone() -> None:
    calls: list[str] = []
    Run(callbacks=(Names("a", calls), Names("b", calls))).callback_list.on_message("done")
    assert calls == ["a", "b"]


@pytest.mark.parametrize("given", [print, [print], Recorder, "progress"])
def test_what_is_not_a_callback_is_refused(given: object) -> None:
    with pytest.raises(OptionError, match=r"callbacks must be objects with the methods of .*Callback.*got "):
        Run(callbacks=given)  # type: ignore[arg-type]

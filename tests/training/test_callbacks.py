"""Events of training reach one callback or several, in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from nestrec.errors import OptionError
from nestrec.training.callbacks import Callback, EpochReport
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


class Ends(Callback):
    """Collects the first and the last event."""

    def __init__(self) -> None:
        self.options: Mapping[str, Any] = {}
        self.ends: list[Mapping[str, Any] | None] = []

    def on_fit_start(self, options: Mapping[str, Any]) -> None:
        self.options = options

    def on_fit_end(self, training: Mapping[str, Any] | None) -> None:
        self.ends.append(training)


def test_the_first_event_has_the_resolved_options_and_the_last_the_results() -> None:
    ends = Ends()
    model = quick().fit(tiny(), run=Run(deterministic=True, callbacks=ends))
    assert ends.ends == [model.manifest["training"]]
    assert ends.options["epochs"] == model.manifest["training"]["options"]["epochs"]
    assert isinstance(ends.options["regularization"], list)


def test_an_error_of_training_ends_it_too() -> None:
    class Failing(Ends):
        def on_epoch_end(self, report: EpochReport) -> None:
            raise RuntimeError("the disk is on fire")

    ends = Failing()
    with pytest.raises(RuntimeError, match="fire"):
        quick().fit(tiny(), run=Run(callbacks=ends))
    assert ends.ends == [None]


def test_training_is_logged_by_one_logger(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG", "nestrec"):
        quick().fit(tiny())
    records = [record for record in caplog.records if record.name == "nestrec.training"]
    assert any("phase search" in record.getMessage() for record in records)
    assert {record.levelname for record in records if "epoch" in record.getMessage()} == {"INFO", "DEBUG"}


def test_nothing_is_printed_unless_logging_is_configured_or_progress_asked_for(
    capsys: pytest.CaptureFixture[str],
) -> None:
    quick().fit(tiny())
    assert capsys.readouterr() == ("", "")


def test_progress_is_a_bar_on_a_terminal(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    quick().fit(tiny(), progress=True)
    out, err = capsys.readouterr()
    assert out == ""
    assert "Searching for the best epoch" in err
    assert "━" in err


@pytest.mark.parametrize("given", [print, [print], Recorder, "progress"])
def test_what_is_not_a_callback_is_refused(given: object) -> None:
    with pytest.raises(OptionError, match=r"callbacks must be objects with the methods of .*Callback.*got "):
        Run(callbacks=given)  # type: ignore[arg-type]

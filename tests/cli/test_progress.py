"""Progress of training."""

from __future__ import annotations

import pytest

from nestrec.cli.progress import counting_bar, training_progress
from nestrec.training.callbacks import EpochReport, PhaseStart

START = PhaseStart("search", epochs=4, n_positives=100, position=0)
REPORT = EpochReport("search", 2, 0.5, 2e6, {4: {"ndcg@20": 0.1}, 8: {"ndcg@20": 0.2}}, 0.15, best=True)


def told(capsys: pytest.CaptureFixture[str]) -> str:
    with training_progress("ndcg@20") as progress:
        progress.on_phase_start(START)
        progress.on_progress(100)
        progress.on_epoch_end(EpochReport("search", 1, 0.6, 1000.0))
        progress.on_epoch_end(REPORT)
        progress.on_message("a sentence")
        progress.on_phase_start(PhaseStart("final", epochs=2, n_positives=120, position=0))
    return capsys.readouterr().err


def test_in_a_pipe_there_is_a_line_per_epoch_and_no_bar(capsys: pytest.CaptureFixture[str]) -> None:
    assert told(capsys).splitlines() == [
        "Searching for the best epoch: at most 4 epochs of 100 interactions",
        "epoch 1/4  loss 0.6000  1,000 interactions/s  0:00 elapsed, 0:00 left",
        "epoch 2/4  loss 0.5000  ndcg@20 0.1500 (best so far)  2.0 M interactions/s  0:00 elapsed, 0:00 left",
        "a sentence",
        "Training on all interactions: at most 2 epochs of 120 interactions",
    ]


def test_trial_runs_of_the_search_for_the_regularization_have_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with training_progress("ndcg@20") as progress:
        progress.on_phase_start(PhaseStart("tuning", epochs=4, n_positives=100, position=0))
        progress.on_epoch_end(EpochReport("tuning", 1, 0.6, 1000.0))
    assert capsys.readouterr().err.count("\n") == 1


def test_on_a_terminal_there_is_a_bar_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    text = told(capsys)
    assert "━" in text
    assert "(best so far)" in text


def test_no_color_takes_the_colours_away(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TTY_COMPATIBLE", "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    assert "\x1b[38;5" in told(capsys) or "\x1b[3" in told(capsys)
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[38;5" not in told(capsys)


def test_a_counting_bar_is_silent_in_a_pipe(capsys: pytest.CaptureFixture[str]) -> None:
    with counting_bar("users") as advance:
        advance(3, 10)
    assert capsys.readouterr().err == ""

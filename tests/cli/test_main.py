"""Exit codes, help, version, and what starting costs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from nestrec.__main__ import main as entry
from nestrec.cli.main import _Commands, app
from nestrec.data.formats import selectable_formats
from nestrec.evaluation.metric_registry import load_metrics
from nestrec.export.exporters import list_exporters
from nestrec.stores.registry import list_targets
from tests.cli.conftest import SMALL, Run

COMMANDS = ["demo", "train", "evaluate", "recommend", "similar", "info", "doctor", "datasets"]
HEAVY = ("numpy", "numba", "duckdb", "scipy", "safetensors", "matplotlib")


@pytest.mark.parametrize("command", [*COMMANDS, "datasets download"])
def test_every_command_has_help_with_examples(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.code == 0
    assert "Example" in result.out
    assert f"  nestrec {command.split()[0]}" in result.out


@pytest.mark.parametrize("command", [*_Commands(), "datasets download"])
def test_examples_fit_80_columns_and_defaults_stand_without_parentheses(run: Run, command: str) -> None:
    result = run(*command.split(), "--help")
    assert [line for line in result.out.splitlines() if " nestrec " in line and len(line) > 80] == []
    assert "[default: (" not in result.out


@pytest.mark.parametrize(
    ("command", "text", "registered"),
    [
        ("evaluate", "Metrics, comma-separated: {}.", load_metrics),
        ("export", "Format to write: {}.", list_exporters),
        ("export", "Or store: {}.", list_targets),
        ("query", "Store: {}.", list_targets),
        ("train", "One of {}.", selectable_formats),
        ("split", "One of {}.", selectable_formats),
    ],
)
def test_names_in_the_help_are_those_registered(
    run: Run, command: str, text: str, registered: Callable[[], Iterable[str]]
) -> None:
    shown = " ".join(run(command, "--help").out.split()).replace("- ", "-")  # lines may end at the hyphen of a name
    assert text.format(", ".join(registered())) in shown


def test_the_help_of_nestrec_names_every_command(run: Run) -> None:
    result = run("--help")
    assert result.code == 0
    assert all(f"\n  {command} " in result.out for command in COMMANDS)


def test_no_help_line_of_a_command_is_cut(run: Run) -> None:
    assert "..." not in run("--help").out.partition("Commands:")[2]


def test_version(run: Run) -> None:
    result = run("--version")
    assert (result.code, result.out.split()[0]) == (0, "nestrec")


@pytest.mark.parametrize("words", [["--help"], ["train", "--help"], ["--version"]])
def test_help_imports_nothing_heavy(words: list[str]) -> None:
    """Checked in a fresh process, by what is loaded at its end; the time itself depends on the machine."""
    script = (
        "import sys; from nestrec.cli.main import main; code = main(sys.argv[1:]);"
        f"print([name for name in {HEAVY!r} if name in sys.modules], code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[] 0"


@pytest.mark.parametrize("words", [["--frobnicate"], ["fly"], ["train"], ["train", "x.csv", "--out"]])
def test_wrong_usage_exits_with_2(run: Run, words: list[str]) -> None:
    result = run(*words)
    assert result.code == 2
    assert "Error" in result.err or "Missing" in result.err


def test_an_option_that_is_not_a_number_exits_with_2_and_is_named(run: Run) -> None:
    result = run("train", "x.csv", "--out", "m", "--epochs", "many")
    assert result.code == 2
    assert "--epochs" in result.err


def test_a_mistake_exits_with_1_and_one_sentence(run: Run) -> None:
    result = run("train", "nothere.csv", "--out", "m")
    assert result == (1, "", "nestrec: nothere.csv does not exist; check the path\n")


def test_ctrl_c_exits_with_130(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("nestrec.data.reading.read_interactions", interrupt)
    assert run("train", "x.csv", "--out", tmp_path / "m").code == 130


def test_the_installed_command_reports_a_mistake_without_a_traceback(tmp_path: Path) -> None:
    command = Path(sys.executable).with_name("nestrec")
    if not command.exists():
        pytest.skip("nestrec is not installed beside this Python")
    done = subprocess.run([command, "info", "nowhere"], capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("nestrec: there is no model directory nowhere")
    assert done.stderr.count("\n") == 1


def test_a_reader_that_stops_early_is_not_an_error(model: Path) -> None:
    """As in `nestrec recommend … | head -1`: nothing is written on stderr."""
    words = ["recommend", str(model), "--all-users", "-k", "50"]
    script = "import sys; from nestrec.cli.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", script, *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(os.environ)) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"user_id,item_id,rank,score\n"
        process.stdout.close()
        assert process.stderr.read() == b""


def test_the_entry_point_is_the_tested_function() -> None:
    """`[project.scripts]` calls main, which calls this app."""
    assert app.info.name == "nestrec"


def test_python_m_runs_the_command() -> None:
    done = subprocess.run([sys.executable, "-m", "nestrec", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("nestrec ")


def test_ctrl_c_while_modules_load_is_not_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt() -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("nestrec.cli.main.main", interrupt)
    assert entry() == 130


def test_a_full_disk_behind_stdout_is_one_sentence(model: Path) -> None:
    command = [sys.executable, "-m", "nestrec", "recommend", str(model), "--all-users"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert (
        done.stderr
        == "nestrec: standard output cannot be written (No space left on device); make room or name another place\n"
    )


def test_an_output_that_lacks_a_letter_is_one_sentence(model: Path, unseen: Path) -> None:
    command = [sys.executable, "-m", "nestrec", "evaluate", str(model), str(unseen), "--widths", "4"]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii", "TTY_COMPATIBLE": "1"},
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith("its encoding ascii lacks; set PYTHONIOENCODING=utf-8")
    assert "Traceback" not in done.stderr


def nestrec_into_closed_pipes(words: list[str], *closed: str) -> subprocess.CompletedProcess[bytes]:
    """Run the command with nobody reading these streams."""
    streams: dict[str, Any] = {name: subprocess.PIPE for name in ("stdout", "stderr") if name not in closed}
    written = []
    for name in closed:
        reading, writing = os.pipe()
        os.close(reading)
        streams[name] = writing
        written.append(writing)
    try:
        return subprocess.run([sys.executable, "-m", "nestrec", *words], check=False, **streams)
    finally:
        for descriptor in written:
            os.close(descriptor)


def test_output_that_nobody_reads_ends_with_the_code_of_other_tools_and_no_message(model: Path) -> None:
    done = nestrec_into_closed_pipes(["recommend", str(model), "--all-users"], "stdout")
    assert (done.returncode, done.stderr) == (141, b"")


def test_training_continues_when_nobody_reads_its_messages(interactions: Path, tmp_path: Path) -> None:
    """`train … 2>&1 | head -2` left no model, no checkpoint and no word."""
    words = ["train", str(interactions), "--out", str(tmp_path / "m"), *SMALL]
    done = nestrec_into_closed_pipes(words, "stdout", "stderr")
    assert done.returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


def test_streams_that_are_closed_from_the_start_are_not_taken_by_files(model: Path, tmp_path: Path) -> None:
    """The next file opened would get the number of standard output, and what is printed with it."""
    out = shlex.quote(str(tmp_path / "x.csv"))
    command = f"{shlex.quote(sys.executable)} -m nestrec recommend {shlex.quote(str(model))} --user u001"
    written = subprocess.run(["bash", "-c", f"{command} --out {out} >&- 2>&- <&-"], check=False)
    assert written.returncode == 0
    assert (tmp_path / "x.csv").read_text().startswith("user_id,item_id,rank,score\n")
    unread = subprocess.run(["bash", "-c", f"{command} >&-"], check=False, capture_output=True, text=True)
    assert unread.returncode == 1
    assert "standard output cannot be written (Bad file descriptor)" in unread.stderr


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (MemoryError(), "memory ran out"),
        (RecursionError("deep"), "nested too deeply"),
        (EOFError("short"), "a file ended early"),
        (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "set TMPDIR"),
        (PermissionError(13, "Permission denied", "/x"), "/x cannot be read or written (Permission denied)"),
        (
            OSError(28, "No space left on device"),
            "the system refused to read or write a file (No space left on device)",
        ),
    ],
)
def test_an_error_says_what_failed(
    run: Run, model: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, sentence: str
) -> None:
    """Everything that the system refused was reported as "the output cannot be used", an EOFError as "Aborted!"."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("nestrec.embeddings.NestedEmbeddings.load", fail)
    result = run("info", model)
    assert result.code == 1
    assert sentence in result.err
    assert result.err.count("\n") == 1

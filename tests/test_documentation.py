"""The documents say what is so: their examples run, their command lines parse, their links and paths lead somewhere."""

from __future__ import annotations

import csv
import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import typer

from nestrec import Adam, Interactions, SampledSoftmax, SyntheticData
from nestrec.cli.main import app, main
from nestrec.data.formats import selectable_formats
from nestrec.training import data_defaults as adaptive
from nestrec.training import engines, objective
from nestrec.training import regularization_search as strength
from tests.faults.torture import build_parser

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
COMMAND: Any = typer.main.get_command(app)

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(nestrec [^`]+)`")
INDENTED = re.compile(r"^    (nestrec .+)$", re.MULTILINE)
OPTION = re.compile(r"`(--[a-z-]+)[^`]*`")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
REPOSITORY_PATH = re.compile(r"(?<![\w/.])((?:src|tests|docs|benchmarks)/[\w/.]+\.(?:py|md))\b")
LOCAL_PATH = re.compile(r"(?:^|[\s\"'(`=])(/(?:home|root|work|tmp|Users|mnt|opt)\b\S*|[A-Z]:\\\S+)", re.MULTILINE)


def by_name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def fenced(path: Path, language: str) -> list[str]:
    return [body for found, body in FENCE.findall(text_of(path)) if found == language]


def shell_lines(path: Path) -> list[str]:
    return [line for line in "".join(fenced(path, "sh")).splitlines() if line.startswith("nestrec ")]


def command_lines(path: Path) -> list[str]:
    """Return the command lines of a document; the name of a command alone, as in `nestrec split`, is none."""
    inline = [line for line in INLINE.findall(text_of(path)) if len(line.split()) > 2]
    return [*shell_lines(path), *inline, *INDENTED.findall(text_of(path))]


def words(line: str) -> list[str]:
    """Return what the command is given: no comment, nothing after a pipe, no `[options]`."""
    given = shlex.split(line.replace(" [options]", ""), comments=True)[1:]
    return given[: given.index("|")] if "|" in given else given


def parse(command: Any, given: list[str], parent: Any = None) -> None:
    """Parse a command line down to the last subcommand and run nothing; typer raises where it does not fit."""
    context = command.make_context(command.name or "nestrec", list(given), parent=parent)
    kept = "_protected_args" if hasattr(context, "_protected_args") else "protected_args"  # the latter before click 8.2
    rest = [*getattr(context, kept, ()), *context.args]
    if hasattr(command, "commands") and rest:
        _, found, left = command.resolve_command(context, rest)
        parse(found, left, context)


def every_command(command: Any) -> Iterator[Any]:
    yield command
    for found in getattr(command, "commands", {}).values():
        yield from every_command(found)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the files the documents name, of the built-in world under ids that are numbers."""
    place = tmp_path_factory.mktemp("reader")
    world = SyntheticData(n_users=120, n_items=64, interactions_per_user=8).generate(seed=0).interactions
    pairs = [(user, item) for user in range(world.n_users) for item in items_of(world, user)]
    write(place / "ratings.csv", [pair for row, pair in enumerate(pairs) if row % 5])
    write(place / "test.csv", pairs[::5])
    (place / "users.txt").write_text("1\n2\nnobody\n", encoding="utf-8")
    (place / "settings.toml").write_text(settings_of_the_readme(), encoding="utf-8")
    return place


def items_of(world: Interactions, user: int) -> list[int]:
    items: list[int] = world.indices[world.indptr[user] : world.indptr[user + 1]].tolist()
    return items


def write(path: Path, pairs: list[tuple[int, int]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "rating", "timestamp"))
        writer.writerows((user + 1, item, 4 + row % 2, 10**9 + row) for row, (user, item) in enumerate(pairs))


def settings_of_the_readme() -> str:
    sentence = re.search(r"`settings.toml` holds lines such as (.*)", text_of(README))
    assert sentence is not None
    return "\n".join(re.findall(r"`([^`]+)`", sentence[1])) + "\n"


def test_python_examples_of_the_readme_run_one_after_another(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    for example in fenced(README, "python"):
        exec(compile(example, "README.md", "exec"), names)
    assert len(names["ids"]) == len(names["scores"]) == 5
    assert names["narrow"].embedding_size == 8
    assert names["found"].at(8).means["ndcg@20"] > 0


def test_command_lines_of_the_readme_run_one_after_another(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    lines = shell_lines(README)
    assert len(lines) >= 10
    for line in lines:
        assert main(words(line)) == 0, f"{line}\n{capsys.readouterr().err}"
    assert (folder / "answers.parquet").exists()


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if fenced(path, "python") and path != README], ids=by_name)
def test_python_examples_of_other_documents_run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for example in fenced(path, "python"):
        exec(compile(example, path.name, "exec"), {})


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_every_command_line_parses(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for line in command_lines(path):
        with suppress(typer.Exit):  # --help, --version
            parse(COMMAND, words(line))


@pytest.mark.parametrize(
    "line", ["nestrec train x.csv --out m --no-such-option", "nestrec no-such-command", "nestrec evaluate model"]
)
def test_a_command_line_that_does_not_fit_is_found_out(line: str) -> None:
    with pytest.raises(Exception, match=r"(?i)no such|missing"):
        parse(COMMAND, words(line))


@pytest.mark.parametrize("path", [path for path in DOCUMENTS if path.parent.name != "benchmarks"], ids=by_name)
def test_every_option_named_is_one_of_some_command(path: Path) -> None:
    parameters = [parameter for command in every_command(COMMAND) for parameter in command.params]
    known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    if path.name == "reliability.md":
        known |= set(build_parser()._option_string_actions)
    assert set(OPTION.findall(text_of(path))) - known - {"--help"} == set()


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_links_and_paths_lead_somewhere(path: Path) -> None:
    links = [link.partition("#")[0] for link in LINK.findall(text_of(path)) if not link.startswith(("https://", "#"))]
    broken = [link for link in links if not (path.parent / link).exists()]
    broken += [name for name in REPOSITORY_PATH.findall(text_of(path)) if not (ROOT / name).exists()]
    assert broken == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=by_name)
def test_no_path_of_one_machine_is_named(path: Path) -> None:
    assert LOCAL_PATH.findall(text_of(path)) == []


def test_the_readme_names_every_command() -> None:
    assert [name for name in COMMAND.commands if f"nestrec {name}" not in text_of(README)] == []


def test_the_page_on_reading_names_every_format() -> None:
    page = text_of(ROOT / "docs" / "how-to" / "reading.md")
    assert [name for name in selectable_formats() if f"`{name}`" not in page] == []


def test_the_page_on_training_gives_the_defaults_of_graphs() -> None:
    page = " ".join(text_of(ROOT / "docs" / "how-to" / "training.md").split())
    epochs = f"at most {adaptive.SOFTMAX.epochs_least} epochs ({adaptive.PAIRWISE.epochs_least} for pairs)"
    assert (
        f"Adam at {Adam().learning_rate} falling to a tenth, {engines._STEPS_PER_EPOCH} steps an epoch, {epochs}"
        in page
    )


def test_the_map_gives_the_rules_by_which_the_data_decide() -> None:
    page = text_of(ROOT / "docs" / "design.md")
    for rules in (adaptive.SOFTMAX, adaptive.PAIRWISE):
        assert f"{rules.steps_per_user} / n, between {rules.epochs_least} and {rules.epochs_most}" in page
    assert f"candidates per level | {adaptive.SOFTMAX.candidates} |" in page
    assert f"tuned from n = {adaptive._DENSE} on" in page
    assert f"powers of {strength.STEP}:" in page
    assert f"runs of {strength.TRIAL_EPOCHS} epochs" in page
    assert f"{adaptive._STRONGEST} * min(1, ({adaptive._FEW:g} / n)^{adaptive._FALL})" in page
    assert f"{adaptive._NOISE_SHARE} * the mean over interactions" in page
    assert f"fewer than {adaptive._SMALL_CATALOGUE:,} items" in page
    assert f"{objective.INVERSE_TEMPERATURE:g} * (64 / width)^{objective.INVERSE_TEMPERATURE_POWER}" in page
    assert f"c = {SampledSoftmax().coupling}" in page

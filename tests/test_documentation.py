"""Documentation agrees with the program: examples run, command lines parse, links and paths exist, numbers match."""

from __future__ import annotations

import csv
import re
import shlex
import shutil
from collections.abc import Iterator
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer

from nestrec import Adam, Interactions, SampledSoftmax, SyntheticData, inverse_temperatures
from nestrec.cli.main import app, main
from nestrec.data.formats import selectable_formats
from nestrec.kernels.training.tile_sizes import TILE
from nestrec.training import data_defaults as adaptive
from nestrec.training import engines
from nestrec.training import regularization_search as strength
from nestrec.training.validation import COMPARED_USERS
from tests.faults.torture import build_parser
from tests.stores.postgres import make_database

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
DOCUMENTS = [
    *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
    *(ROOT / folder / "README.md" for folder in ("benchmarks", "examples")),
    *sorted((ROOT / "docs").rglob("*.md")),
]
READERS_FILES = ("ratings.csv", "test.csv", "users.txt", "settings.toml")  # what the pages expect to be there
COMMAND: Any = typer.main.get_command(app)

FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`(nestrec [^`]+)`")
INDENTED = re.compile(r"^    (nestrec .+)$", re.MULTILINE)
OPTION = re.compile(r"`(--[a-z-]+)[^`]*`")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")
REPOSITORY_PATH = re.compile(r"(?<![\w/.])((?:src|tests|docs|benchmarks|examples|experiments)/[\w/.]+\.(?:py|md))\b")
LOCAL_PATH = re.compile(r"(?:^|[\s\"'(`=])(/(?:home|root|work|tmp|Users|mnt|opt)\b\S*|[A-Z]:\\\S+)", re.MULTILINE)
LARGE_ENGINES = {"chdb.md": "chdb", "milvus-lite.md": "milvus_lite"}  # page: module


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
    """Return a folder with the files the documents name, of synthetic data with numbers as ids."""
    place = tmp_path_factory.mktemp("reader")
    world = SyntheticData(n_users=120, n_items=64, interactions_per_user=8).generate(seed=0).interactions
    pairs = [(user, item) for user in range(world.n_users) for item in items_of(world, user)]
    write(place / "ratings.csv", [pair for row, pair in enumerate(pairs) if row % 5])
    write(place / "test.csv", pairs[::5])
    (place / "users.txt").write_text("1\n2\nnobody\n", encoding="utf-8")
    (place / "settings.toml").write_text(settings_of_the_page_on_resuming(), encoding="utf-8")
    return place


def items_of(world: Interactions, user: int) -> list[int]:
    items: list[int] = world.indices[world.indptr[user] : world.indptr[user + 1]].tolist()
    return items


def write(path: Path, pairs: list[tuple[int, int]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("user_id", "item_id", "rating", "timestamp"))
        writer.writerows((user + 1, item, 4 + row % 2, 10**9 + row) for row, (user, item) in enumerate(pairs))


def settings_of_the_page_on_resuming() -> str:
    return fenced(ROOT / "docs" / "how-to" / "resume.md", "toml")[0]


def run_examples(path: Path) -> dict[str, Any]:
    """Run the Python examples of a page one after another, as a reader would, and return what they define."""
    names: dict[str, Any] = {}
    for example in fenced(path, "python"):
        exec(compile(example, path.name, "exec"), names)
    return names


def test_python_examples_of_the_readme_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    names = run_examples(README)
    assert names["vectors"].shape == (len(names["item_ids"]), 64)
    assert names["narrow"].shape[1] == names["small"].embedding_size == 16
    assert len(names["ids"]) == len(names["scores"]) == 5


@pytest.fixture
def store(request: pytest.FixtureRequest) -> None:
    """Start the database that a page is about; skip a page whose engine is not installed."""
    name = request.node.callspec.params["path"].name
    if name == "pgvector.md":
        request.getfixturevalue("postgres")
        make_database("shop")
    if name in LARGE_ENGINES and find_spec(LARGE_ENGINES[name]) is None:
        pytest.skip(f"{LARGE_ENGINES[name]} is not installed; make stores installs it")


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if fenced(path, "python") and path != README], ids=by_name)
def test_python_examples_of_other_pages_run(path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    run_examples(path)


@pytest.mark.usefixtures("store")
@pytest.mark.parametrize("path", [path for path in DOCUMENTS if shell_lines(path)], ids=by_name)
def test_command_lines_of_shell_blocks_run_one_after_another(
    path: Path, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in READERS_FILES:
        shutil.copy(folder / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    for line in shell_lines(path):
        assert main(words(line)) == 0, f"{line}\n{capsys.readouterr().err}"


def test_the_settings_of_a_page_are_options_of_training(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert main(["train", "ratings.csv", "--out", "set", "--config", "settings.toml", "--epochs", "1"]) == 0


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
    page = text_of(ROOT / "docs" / "reference" / "reading.md")
    assert [name for name in selectable_formats() if f"`{name}`" not in page] == []


def test_the_page_on_methods_gives_the_defaults_of_graphs() -> None:
    page = " ".join(text_of(ROOT / "docs" / "reference" / "training.md").split())
    epochs = f"at most {adaptive.SOFTMAX.epochs_least} epochs ({adaptive.PAIRWISE.epochs_least} for pairs)"
    assert (
        f"Adam at {Adam().learning_rate} falling to a tenth, {engines._STEPS_PER_EPOCH} steps an epoch, {epochs}"
        in page
    )


def test_the_page_on_training_gives_the_data_dependent_defaults() -> None:
    page = " ".join(text_of(ROOT / "docs" / "explanation" / "nesting.md").split())
    for rules in (adaptive.SOFTMAX, adaptive.PAIRWISE):
        assert f"{rules.steps_per_user} / n, between {rules.epochs_least} and {rules.epochs_most}" in page
    tile, most = TILE, TILE * adaptive._MOST_TILES
    rule = f"{tile} for every {adaptive._ITEMS_PER_TILE:,} items, between {tile} and {most}"
    assert f"candidates per level | {rule} |" in page
    assert f"powers of {strength.STEP}:" in page
    assert f"compared on {COMPARED_USERS:,} random users" in page
    assert f"at most {strength.TRIAL_INTERACTIONS:,} interactions" in page
    assert f"{adaptive._STRONGEST} * min(1, ({adaptive._FEW:g} / n)^{adaptive._FALL})" in page
    assert f"r = {adaptive._NOISE_SHARE} * s, in a catalogue below {adaptive._LARGE_CATALOGUE:,} items" in page
    assert f"(10,000 / items)^{adaptive._CATALOGUE_POWER}" in page
    assert f"{adaptive._WIDTH_SLOPE} * log10(items / {adaptive._FEWEST_ITEMS})" in page
    assert f"{adaptive._STRENGTH_SLOPE} * ({adaptive._STRONG} - r)" in page
    assert f"regularization at width {adaptive._REFERENCE_WIDTH} is r" in page
    assert f"fewer than {adaptive._SMALL_CATALOGUE:,} items" in page
    first, power = inverse_temperatures.INVERSE_TEMPERATURE, inverse_temperatures.INVERSE_TEMPERATURE_POWER
    assert f"{first:g} * (64 / width)^{power}" in page
    assert f"c = {SampledSoftmax().coupling}" in page
    fields = text_of(ROOT / "src" / "nestrec" / "training" / "losses.py")
    assert f"None: 1/{first:g} * (width / 64)^{power}." in fields


def test_the_design_map_has_every_package_and_module() -> None:
    page = text_of(ROOT / "docs" / "design.md")
    parts = [path for path in (ROOT / "src" / "nestrec").iterdir() if not path.name.startswith(("_", "py.typed"))]
    names = [f"`{path.name}/`" if path.is_dir() else f"`{path.name}`" for path in parts]
    assert [name for name in names if name not in page] == []


def test_the_design_map_names_modules_that_exist() -> None:
    page = text_of(ROOT / "docs" / "design.md") + text_of(ROOT / "docs" / "explanation" / "memory-safety.md")
    package = ROOT / "src" / "nestrec"
    parents = (ROOT, package.parent, package, package / "kernels", package / "training" / "autograd")
    named = re.findall(r"`((?:[a-z_]+/)+(?:[a-z_]+\.py)?)`", page)
    assert [name for name in named if not any((parent / name).exists() for parent in parents)] == []


def test_the_glossary_has_a_line_a_term() -> None:
    rows = [line for line in text_of(ROOT / "docs" / "glossary.md").splitlines() if line.startswith("| ")]
    assert all(line.count("|") == 3 for line in rows)


def test_the_picture_of_the_readme_shows_the_figures_that_are_stored() -> None:
    """The table of a page and the file that the picture is drawn from agree."""
    with (ROOT / "docs" / "results" / "data" / "accuracy.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["model"] == "nestrec"]
    page = text_of(ROOT / "docs" / "results" / "accuracy.md")
    for metric in ("recall@20", "ndcg@20"):
        for data in ("MovieLens 100K", "Amazon Cell Phones"):
            means = [row["mean"] for row in rows if (row["data"], row["metric"]) == (data, metric)]
            assert f"| `nestrec` | {' | '.join(means)} |" in page

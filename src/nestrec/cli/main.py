"""The command `nestrec` and its exit codes: 0 success, 1 a failure, 2 wrong usage, 130 interrupted.

SIGTERM ends it with 143, a lost terminal with 129, a closed output pipe with 141.

Commands import what they need when they run: numpy, numba, duckdb and scipy would make `--help` slow.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Annotated, Any, cast

import typer
from typer.core import TyperGroup

from nestrec.cli.error_messages import format_error, get_exit_code
from nestrec.cli.exit_codes import FAILURE, OUTPUT_CLOSED, ended_by_signals, interruptible
from nestrec.cli.option_groups import expand_options
from nestrec.cli.panels import RUN, PanelCommand
from nestrec.cli.streams import OutputClosedError, tolerant_streams
from nestrec.errors import NestrecError
from nestrec.plugins import list_plugin_names

_PLAIN: dict[str, Any] = {"rich_markup_mode": None, "add_completion": False, "pretty_exceptions_enable": False}
_COMMANDS = (  # each is a module of nestrec.cli with a function of this name
    "demo", "split", "train", "update", "items", "evaluate", "plan", "recommend",
    "explain", "similar", "export", "query", "serve", "tune", "compare", "info", "doctor", "datasets",
)  # fmt: skip
_PLUGIN_GROUP = re.compile(r"\{(nestrec\.\w+)\}")  # in the help of an option, after the built-in names
_WITHOUT_PROGRESS = ("items", "explain", "similar", "query", "info", "doctor")


class _Commands(Mapping[str, Any]):
    """Commands by name, each built when it is looked up: options of plug-ins are read by `nestrec train` alone."""

    def __getitem__(self, name: str) -> Any:
        if name not in _COMMANDS:
            raise KeyError(name)
        return _build_command(name)

    def __iter__(self) -> Iterator[str]:
        return iter(_COMMANDS)

    def __len__(self) -> int:
        return len(_COMMANDS)


class _Group(TyperGroup):
    """The command `nestrec`."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = cast("Any", _Commands())

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of the commands."""
        return list(_COMMANDS)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write each command with the first sentence of its docstring, without building it."""
        functions = (getattr(import_module(f"nestrec.cli.{name}"), name) for name in _COMMANDS)
        with formatter.section("Commands"):
            formatter.write_dl([(f.__name__, str(f.__doc__).partition(".")[0] + ".") for f in functions])


@cache
def _build_command(name: str) -> Any:
    module = import_module(f"nestrec.cli.{name}")
    examples = "\b\n" + str(module.__doc__).partition("\n\n")[2]  # the first paragraph is not wrapped
    if name == "datasets":
        built = typer.Typer(invoke_without_command=True, epilog=examples, **_PLAIN)
        built.callback()(interruptible(module.datasets))
        download = expand_options(module.download, has_progress=True)
        built.command("download", epilog=examples, cls=PanelCommand)(interruptible(download))
    else:
        built = typer.Typer(**_PLAIN)
        command = expand_options(getattr(module, name), has_progress=name not in _WITHOUT_PROGRESS)
        built.command(name, epilog=examples, cls=PanelCommand)(interruptible(command))
    result: Any = typer.main.get_command(built)
    result.name = name
    panels = {option: panel for panel, options in getattr(module, "PANELS", {}).items() for option in options}
    for parameter in result.params if panels else ():
        parameter.rich_help_panel = panels.get(parameter.name, parameter.rich_help_panel or RUN)
    for parameter in result.params:
        if parameter.param_type_name == "option":
            parameter.help = _PLUGIN_GROUP.sub(_list_plugins, parameter.help or "")
    return result


def _list_plugins(group: re.Match[str]) -> str:
    return "".join(f", {name}" for name in list_plugin_names(group[1]))


app = typer.Typer(
    name="nestrec",
    cls=_Group,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    **_PLAIN,  # plain help: rich's takes longer to load than all the rest
)


def _print_version(requested: bool) -> None:  # noqa: FBT001 - typer passes it by position
    if requested:
        from importlib.metadata import version

        typer.echo(f"nestrec {version('nestrec')}")
        raise typer.Exit


@app.callback()
def nestrec(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Recommender embeddings that nest: train once, serve any width."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; `argv` is without the program's name, None takes sys.argv.

    >>> main(["--version"])  # doctest: +ELLIPSIS
    nestrec ...
    0
    """
    with tolerant_streams():
        return _run(argv)


def _run(argv: Sequence[str] | None) -> int:
    try:
        with ended_by_signals():
            app(args=None if argv is None else list(argv), prog_name="nestrec")
            sys.stdout.flush()
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else 0
    except OutputClosedError:
        return OUTPUT_CLOSED
    except UnicodeEncodeError as error:
        message = (
            f"the output holds {error.object[error.start : error.end]!a}, which its encoding {error.encoding} lacks; "
            "set PYTHONIOENCODING=utf-8"
        )
        sys.stderr.write(f"nestrec: {message}\n")
        return FAILURE
    except NestrecError as error:
        sys.stderr.write(f"nestrec: {format_error(error, _options())}\n")
        return get_exit_code(error)
    return 0


def _options() -> dict[str, str]:
    """Return the options of all commands by the names of their parameters."""
    group: Any = typer.main.get_command(app)
    parameters = (parameter for command in group.commands.values() for parameter in command.params)
    return {p.name: p.opts[0] for p in parameters if p.param_type_name == "option"}

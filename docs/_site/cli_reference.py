"""The command line reference as Markdown, from the Typer program: what `--help` says, a section for each command."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html import escape
from itertools import groupby
from typing import Any

import typer

from nestrec.cli.panels import PANELS

_INTRODUCTION = """\
# Command line

Every command has `--help`. Results go to stdout, everything about the run to stderr;
[exit codes](outputs.md#exit-codes) are listed with the outputs.
"""
_BRACKETS = re.compile(r"\s*\[(default:.*|required)\]$")
_OPTION = re.compile(r"(?<![\w`-])(--[a-z][a-z-]+)")
_TYPE = re.compile(r"\s*<[\w\[\]]+>$")


def command_reference() -> str:
    """Return the page."""
    from nestrec.cli.main import app

    program: Any = typer.main.get_command(app)
    return "\n".join([_INTRODUCTION, *_sections(program, "nestrec")]) + "\n"


def _sections(group: Any, path: str) -> Iterator[str]:
    for name, command in group.commands.items():
        yield from _section(command, f"{path} {name}")
        if hasattr(command, "commands"):
            yield from _sections(command, f"{path} {name}")


def _section(command: Any, path: str) -> Iterator[str]:
    context = typer.Context(command, info_name=path)
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    options = [p for p in command.params if p.param_type_name == "option" and not p.hidden]
    options.sort(key=lambda option: PANELS.index(_panel(option)))
    yield f"## {path}\n"
    yield f"{(command.help or '').strip()}\n"
    yield f"```text\n{path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    if arguments:
        yield from _table("argument", arguments, context)
    for panel, members in groupby(options, key=_panel):
        yield from _table("option" if panel == "Options" else panel, members, context)
    yield from _epilog(command.epilog or "")


def _panel(option: Any) -> str:
    panel = getattr(option, "rich_help_panel", None)
    return panel if isinstance(panel, str) else "Options"


def _table(heading: str, parameters: Iterable[Any], context: Any) -> Iterator[str]:
    yield f"| {heading} | |\n|---|---|"
    for parameter in parameters:
        names, description = parameter.get_help_record(context)
        yield f"| {_code(_spaced(_TYPE.sub('', names)))} | {_described(description)} |"
    yield ""


def _spaced(names: str) -> str:
    """Let a list of choices break at its bars."""
    return re.sub(r"<(.+)>", lambda choices: choices[1].replace("|", " | "), names)


def _described(text: str) -> str:
    """Return the help of an option, its default in italics."""
    words = " ".join(text.split())
    note = _BRACKETS.search(words)
    shown = _OPTION.sub(r"`\1`", escape(_BRACKETS.sub("", words), quote=False)).replace("|", "\\|").replace("*", "\\*")
    return f"{shown} *({_default(note[1])})*" if note and note[1].strip() != "default:" else shown


def _default(note: str) -> str:
    """Return `default: (depends on the data)` without the inner brackets."""
    return re.sub(r"^default: \((.*)\)$", r"default: \1", note).replace("|", "\\|").replace("_", "\\_")


def _code(text: str) -> str:
    return f"`{text}`"


def _epilog(epilog: str) -> Iterator[str]:
    """Yield the examples as a code block and the rest as paragraphs."""
    for paragraph in epilog.replace("\b", "").strip("\n").split("\n\n"):
        lines = [line.removeprefix("  ") for line in paragraph.splitlines() if line.strip() not in ("", "Examples:")]
        if lines and lines[0].startswith("nestrec "):
            yield "```text\n" + "\n".join(lines) + "\n```\n"
        elif lines:
            yield _OPTION.sub(r"`\1`", escape(" ".join(lines), quote=False)) + "\n"

"""Help of a command with its options in named panels, as plain text: rich's help takes longer to load than all else."""

from __future__ import annotations

import re
from typing import Any

import typer
from typer.core import TyperCommand

from nestrec.cli.invalid_values import explain

ARGUMENTS, OPTIONS = "Arguments", "Options"
BASICS, DATA, MODEL, TRAINING, VALIDATION, RUN = "Basics", "Data", "Model", "Training", "Validation", "Run"
USERS, ITEMS, LISTS, TUNING, STORES = "Users", "Items", "Lists", "Tuning", "Stores"
MODELS, ACCESS, LOAD = "Models", "Access", "Limits and load"
PANELS = (
    ARGUMENTS, BASICS, USERS, ITEMS, LISTS, OPTIONS, MODELS, ACCESS, LOAD, STORES, TUNING, DATA, MODEL, TRAINING,
    VALIDATION, RUN,
)  # fmt: skip


class PanelCommand(TyperCommand):
    """A command whose help has a section for each panel of options, and whose errors name the value."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the command line."""
        try:
            return super().parse_args(ctx, args)
        except typer.BadParameter as error:
            raise explain(error, ctx) from error

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments and options by panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                panels.setdefault(_panel_of(parameter, panels), []).append(_simplify(*record))
        for panel in PANELS:
            if panel in panels:
                with formatter.section(panel):
                    formatter.write_dl(panels[panel])


def _panel_of(parameter: Any, panels: dict[str, Any]) -> str:
    if parameter.param_type_name == "argument":
        return ARGUMENTS
    if parameter.name == "help" and RUN in panels:
        return RUN
    return getattr(parameter, "rich_help_panel", None) or OPTIONS


def _simplify(names: str, text: str) -> tuple[str, str]:
    """Show a default as it is, without the parentheses that typer puts around it, and an argument without its type.

    >>> _simplify("FILE <Path>", "A file.  [default: (by its name)]")
    ('FILE', 'A file.  [default: by its name]')
    """
    return re.sub(r"(?<!-)(\b[A-Z.]+) <\w.*>$", r"\1", names), re.sub(r"\[default: \((.*)\)\]$", r"[default: \1]", text)

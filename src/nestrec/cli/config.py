"""`--config C.toml`: values for options that the command line does not give."""

from __future__ import annotations

import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import typer

from nestrec.cli.exit_codes import FailedError
from nestrec.errors import OptionError

_NOT_IN_FILES = {"config", "help"}


def apply_config(context: typer.Context, path: Path | None) -> Path | None:
    """Make a file's values the defaults of the command; an eager option's callback, so it comes before the others.

    Raises FailedError for a file that cannot be read, OptionError for an unknown key and a value of the wrong type.
    """
    if path is not None:
        known = _known(context)
        values = dict(_entry(path, key, value, known) for key, value in _read(path).items())
        context.default_map = {**(context.default_map or {}), **values}
    return path


def _known(context: typer.Context) -> dict[str, tuple[Any, bool]]:
    """Return for each key the option and whether the key is its negative form (`no-refit`)."""
    options = [p for p in context.command.params if p.param_type_name == "option" and p.name not in _NOT_IN_FILES]
    plain = {text.lstrip("-"): (p, False) for p in options for text in p.opts if text.startswith("--")}
    return plain | {text.lstrip("-"): (p, True) for p in options for text in p.secondary_opts}


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise FailedError(f"--config {path} cannot be read ({error.strerror}); give a TOML file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FailedError(f"--config must be TOML, got {path} ({error}); write lines such as epochs = 20") from error


def _entry(path: Path, key: str, value: Any, known: dict[str, tuple[Any, bool]]) -> tuple[str, Any]:
    name = key.replace("_", "-")
    if name not in known:
        near = get_close_matches(name, known, n=1, cutoff=0.0)
        raise OptionError(f"config {path}: unknown option {key!r}; did you mean {near[0]!r}?")
    option, negative = known[name]
    checked = _checked(f"config {path}: {key}", value, option)
    return option.name, (not checked) if negative else checked


def _checked(place: str, value: Any, option: Any) -> Any:
    """Return the value as the command line would give it."""
    if option.is_flag:
        if not isinstance(value, bool):
            raise OptionError(f"{place} must be true or false, got {value!r}")
        return value
    if isinstance(value, list) and value and all(_is_plain(part) for part in value):
        return ",".join(map(str, value))  # widths = [4, 8, 16]
    if not _is_plain(value):
        raise OptionError(f"{place} must be a number, a text or a list of these, got {value!r}")
    return str(value)


def _is_plain(value: Any) -> bool:
    return isinstance(value, (int, float, str)) and not isinstance(value, bool)

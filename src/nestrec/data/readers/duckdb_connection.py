"""Connections to duckdb, the names and texts of its SQL, and its messages."""

from __future__ import annotations

import re
import tempfile
import uuid
from pathlib import Path

import duckdb

_LONGEST_MESSAGE = 300  # characters of another library's message
_PREFIXES = re.compile(
    r"^(?:[A-Z]\w+ )+(?:Error|Exception): "  # "Invalid Input Error: "
    r"|^reading the stream registered as '\w+' failed: "
    r"|\.? Detail: Python exception.*"
)


def connect(threads: int | None = None, memory_mb: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection to a database in memory, which fetches nothing and draws no progress on standard output."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "temp_directory": _spill_folder(),
        "TimeZone": "UTC",
        "autoinstall_known_extensions": "false",
    }
    if threads is not None:
        config["threads"] = str(threads)
    if memory_mb is not None:
        config["memory_limit"] = f"{memory_mb}MB"
    return duckdb.connect(config=config).execute("SET enable_progress_bar = false")


def quote_name(name: str) -> str:
    """Return the name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def quote_text(text: str) -> str:
    """Return the text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def escape_path(path: str) -> str:
    """Return a path that duckdb does not take for a pattern."""
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in path)


def shorten_message(error: BaseException) -> str:
    """Return the first line of another library's message, not too long."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    while (shorter := _PREFIXES.sub("", text)) != text:
        text = shorter
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + "…"


def _spill_folder() -> str:
    """Return a folder for duckdb to make if it needs one, or "" where no temporary file can be written at all."""
    try:
        return str(Path(tempfile.gettempdir()) / f"nestrec-{uuid.uuid4().hex[:12]}")
    except OSError:
        return ""

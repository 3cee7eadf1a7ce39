"""Temporary files, opened when they are needed, and the error where they cannot be."""

from __future__ import annotations

import tempfile
from typing import BinaryIO, cast

from nestrec.errors import DataError


def open_temporary_file(why: str) -> BinaryIO:
    """Return a nameless temporary file.

    Raises DataError where there is no temporary folder that can be written; `why` says the purpose of the file.
    """
    try:
        return cast("BinaryIO", tempfile.TemporaryFile(prefix="nestrec-"))
    except OSError as error:
        raise explain_temporary_failure(why, error) from error


def explain_temporary_failure(why: str, error: OSError) -> DataError:
    """Return the error for a temporary file that cannot be made, written or read."""
    return DataError(
        f"{why}, and that fails ({error.strerror or error}); set TMPDIR to a folder with room that can be written"
    )

"""Import optional dependencies, and say what to install if one is missing."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from nestrec.errors import MissingExtraError


def require(module: str, extra: str, purpose: str) -> Any:
    """Import a module that an extra of nestrec installs; raise MissingExtraError if that fails.

    `purpose` starts the message, such as "the torch engine".
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] == module.partition(".")[0]:
            raise MissingExtraError(f"{purpose} {describe_missing(module, extra)}") from error
        raise MissingExtraError(_describe_broken(module, extra, purpose, error)) from error
    except (ImportError, OSError) as error:  # OSError: a shared library that does not load
        raise MissingExtraError(_describe_broken(module, extra, purpose, error)) from error


def describe_missing(module: str, extra: str) -> str:
    """Return what is missing and how to install it, to follow what needs it.

    >>> describe_missing("torch", "torch")
    'needs torch, which is not installed; get it with pip install "nestrec[torch]" (in a clone: ".[torch]")'
    """
    return f"needs {module}, which is not installed; get it with {install_command(extra)}"


def install_command(extra: str) -> str:
    """Return the commands that install an extra for an installed nestrec and in a clone."""
    return f'pip install "nestrec[{extra}]" (in a clone: ".[{extra}]")'


def _describe_broken(module: str, extra: str, purpose: str, error: Exception) -> str:
    return (
        f"{purpose} needs {module}, which cannot be imported ({error}); install it again with {install_command(extra)}"
    )

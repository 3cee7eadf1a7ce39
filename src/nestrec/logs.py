"""Loggers of the library, all below `nestrec`: nothing is shown unless the application configures logging."""

from __future__ import annotations

import logging


def get_logger(part: str) -> logging.Logger:
    """Return the logger of a part of the library.

    >>> get_logger("training").name
    'nestrec.training'
    """
    root = logging.getLogger("nestrec")
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    return root.getChild(part)

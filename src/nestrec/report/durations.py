"""Durations as text."""

from __future__ import annotations

import math


def format_seconds(seconds: float) -> str:
    """Return a duration with about three digits; NaN, if nothing was timed, as a dash.

    >>> [format_seconds(value) for value in (0.00042, 1.5, 83.4, 754.0, 9000.0, float("nan"))]
    ['<0.001 s', '1.5 s', '83.4 s', '12.6 min', '2.5 h', '–']
    """
    if math.isnan(seconds):
        return "–"
    if seconds < 0.001:
        return "<0.001 s"
    if seconds < 300:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"

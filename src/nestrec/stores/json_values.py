"""Values of an item table as JSON has them."""

from __future__ import annotations

import datetime as dt
import decimal
from typing import Any


def as_json(value: Any) -> Any:
    """Return a value of an item table as JSON has it: dates and times in ISO 8601, decimals as floats.

    >>> as_json([dt.date(2026, 1, 31), None]), as_json(decimal.Decimal("2.50"))
    (['2026-01-31', None], 2.5)
    """
    if isinstance(value, list):
        return [as_json(one) for one in value]
    if isinstance(value, dict):
        return {str(name): as_json(one) for name, one in value.items()}
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    if isinstance(value, decimal.Decimal):
        return float(value)
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)

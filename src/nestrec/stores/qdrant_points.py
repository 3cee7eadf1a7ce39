"""What Qdrant's server, its client's local mode and Qdrant Edge have in common: points, ids and payload.

Qdrant identifies points by whole numbers from 0 on or by UUIDs. Ids of items and users that are such numbers or UUIDs
stay as they are; all others become a UUID made of their text (version 5). The payload has the model's own id.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, NamedTuple

from nestrec.data.ids import IdArray
from nestrec.errors import OptionError
from nestrec.export.exporters import Side
from nestrec.export.item_columns import FINGERPRINT, ID
from nestrec.stores.json_values import as_json
from nestrec.stores.layout import Layout
from nestrec.stores.requests import Query, Stage
from nestrec.stores.store import Answer, Rows, StoredRows
from nestrec.stores.write_plan import stored_rows

NAMESPACE = uuid.UUID("4d1c3b0e-6f56-5f0a-9a35-0a8c1f6f1d3e")
READ_AT_ONCE = 5_000
LEAST_EF = 200  # candidates while a graph is searched
PAYLOAD = [ID, FINGERPRINT]


class PlainPoint(NamedTuple):
    """A point as plain values."""

    identity: int | str
    vectors: dict[str, list[float]]
    payload: dict[str, Any]


def point_id(identity: int | str) -> int | str:
    """Return the id of a point: a whole number from 0 on, or the text of a UUID.

    >>> point_id(7), point_id("11111111-2222-3333-4444-555555555555")
    (7, '11111111-2222-3333-4444-555555555555')
    >>> point_id("tea")
    '30ca4456-e2fd-585e-b8cb-46db66552846'
    """
    if isinstance(identity, int):
        return identity if identity >= 0 else str(uuid.uuid5(NAMESPACE, str(identity)))
    try:
        if str(uuid.UUID(identity)) == identity:
            return identity
    except ValueError:
        pass
    return str(uuid.uuid5(NAMESPACE, identity))


def vector_name(width: int) -> str:
    """Return the name of the vectors of a width.

    >>> vector_name(16)
    'w16'
    """
    return f"w{width}"


def make_points(rows: Rows, layout: Layout) -> Iterator[PlainPoint]:
    """Yield rows as points; the prefixes of a vector are vectors of their own."""
    prefixes = {vector_name(width): rows.vectors[:, :width].tolist() for width in layout.widths}
    for at, (identity, fingerprint) in enumerate(zip(rows.ids.tolist(), rows.fingerprints.tolist(), strict=True)):
        columns = {name: as_json(values[at]) for name, values in rows.columns.items()}
        payload = {ID: identity, FINGERPRINT: fingerprint, **columns}
        yield PlainPoint(point_id(identity), {name: values[at] for name, values in prefixes.items()}, payload)


def point_ids(ids: IdArray | list[Any]) -> list[int | str]:
    """Return the ids of points."""
    return [point_id(one) for one in (ids if isinstance(ids, list) else ids.tolist())]


def read_payloads(payloads: list[dict[str, Any]], layout: Layout, side: Side) -> StoredRows:
    """Return ids and fingerprints of payloads."""
    ids, fingerprints = [one[ID] for one in payloads], [one[FINGERPRINT] for one in payloads]
    return stored_rows(ids, fingerprints, layout.side(side).id_type)


def read_answer(points: list[Any]) -> Answer:
    """Return the answer of scored points."""
    return Answer([point.payload[ID] for point in points], [point.score for point in points])


def narrow_stages(query: Query) -> tuple[tuple[Stage, ...], Stage]:
    """Return all stages but the last, and the last."""
    return query.stages[:-1], query.stages[-1]


def check_quantization(layout: Layout) -> None:
    """Raise OptionError for a type that Qdrant does not have."""
    if layout.quantize == "bf16":
        raise OptionError("quantize must be int8 for Qdrant, which has no bfloat16; got bf16", option="quantize")


def is_quantized(width: int, layout: Layout) -> bool:
    """Tell whether the vectors of a width are quantized: all but the widest, whose products are the scores."""
    return layout.quantize == "int8" and (width < layout.size or len(layout.widths) == 1)


def is_searched(side: Side, width: int, layout: Layout) -> bool:
    """Tell whether a graph is built of these vectors: the widest only score what a prefix has found."""
    return side == "items" and (width < layout.size or len(layout.widths) == 1)

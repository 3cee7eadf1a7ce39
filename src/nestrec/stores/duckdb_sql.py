"""The search of several stages as one SQL query for DuckDB."""

from __future__ import annotations

from nestrec.export.item_columns import ID, VECTOR
from nestrec.stores.requests import Stage


def search_sql(stages: tuple[Stage, ...], table: str, id_type: str) -> tuple[str, dict[str, Stage]]:
    """Return the query and the stage of each of its vector parameters; `excluded` is the list of excluded ids.

    >>> sql, parameters = search_sql((Stage(16, 200), Stage(64, 10)), "items", "BIGINT")
    >>> list(parameters)
    ['user_16', 'user_64']
    """
    parameters = {f"user_{stage.width}": stage for stage in stages}
    *narrow, last = stages
    source, steps = f"{table} WHERE {ID} NOT IN (SELECT unnest($excluded::{id_type}[]))", []
    for stage in narrow:
        name = f"best_by_{stage.width}"
        steps.append(
            f"{name} AS MATERIALIZED (\n  SELECT {ID}, {VECTOR} FROM {source}\n"
            f"  ORDER BY {_product(stage.width)} DESC LIMIT {stage.limit}\n)"
        )
        source = name
    opening = f"WITH {', '.join(steps)}\n" if steps else ""
    score = f"SELECT {ID}, {_product(last.width)} AS score FROM {source}"
    return f"{opening}{score}\nORDER BY score DESC, {ID} LIMIT {last.limit}", parameters


def _product(width: int) -> str:
    return f"list_inner_product({VECTOR}[1:{width}], $user_{width}::FLOAT[])"

"""The search of several stages as one SQL query for pgvector, and the functions `search` and `recommend`.

`<#>` is the negative inner product, ascending order by it is what an index can give, and exclusions are conditions of
the first stage. With hnsw.iterative_scan the index is scanned until the stage has its rows, however many are excluded.
"""

from __future__ import annotations

from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.export.item_columns import ID, VECTOR
from nestrec.stores.layout import Layout
from nestrec.stores.metadata import OperatingPoint
from nestrec.stores.pgvector_schema import IndexType, id_type, indexed_widths, prefix_sql
from nestrec.stores.requests import DEFAULT_SHORTLIST, Stage

LEAST_EF, GREATEST_EF = 200, 1_000  # of hnsw.ef_search; pgvector allows no more
_K = 10


def search_sql(stages: tuple[Stage, ...], schema: str, layout: Layout, index_type: IndexType) -> str:
    """Return the query for the parameters `excluded` and `user_WIDTH`, a vector for each stage.

    `index_type` is that of the index of the first stage, whose expression the query repeats.
    """
    *narrow, last = stages
    steps: list[str] = []
    source = f"{quote_name(schema)}.items WHERE {ID} <> ALL (%(excluded)s::{id_type(layout.side('items'))}[])"
    for stage in narrow or stages:
        kind = index_type if not steps and stage.width in indexed_widths(layout) else "vector"
        product = _distance(stage.width, layout, kind)
        steps.append(
            f"best_by_{stage.width} AS MATERIALIZED (\n  SELECT {ID}, {VECTOR} FROM {source}\n"
            f"  ORDER BY {product} LIMIT {stage.limit}\n)"
        )
        source = f"best_by_{stage.width}"
    score = f"-({_distance(last.width, layout, 'vector')}) AS score"
    return f"WITH {', '.join(steps)}\nSELECT {ID}, {score} FROM {source}\nORDER BY score DESC, {ID} LIMIT {last.limit}"


def _distance(width: int, layout: Layout, kind: IndexType) -> str:
    return f"{prefix_sql(VECTOR, width, layout.size, kind)} <#> %(user_{width})s::{kind}({width})"


def choose_ef(shortlist: int, ef_search: int | None) -> int:
    """Return the candidates of a search of the graph.

    >>> choose_ef(20, None), choose_ef(300, None), choose_ef(900, None), choose_ef(900, 100)
    (200, 600, 1000, 100)
    """
    return ef_search or min(max(LEAST_EF, 2 * shortlist), GREATEST_EF)


def function_sql(
    schema: str,
    extension_schema: str,
    layout: Layout,
    points: tuple[OperatingPoint, ...],
    index_type: IndexType,
    ef_search: int | None,
) -> list[str]:
    """Return the statements that make `search`, and `recommend` where there are users, with the recommended stages."""
    point = points[-1] if points else OperatingPoint(1.0, layout.widths[-1:], DEFAULT_SHORTLIST, 1.0, _K, 0)
    settings = "\n".join(
        [
            "LANGUAGE sql STABLE",
            f"SET search_path = {quote_name(schema)}, {quote_name(extension_schema)}, pg_temp",
            f"SET hnsw.ef_search = {choose_ef(point.shortlist, ef_search)}",
            "SET hnsw.iterative_scan = strict_order",
        ]
    )
    return [
        f"CREATE OR REPLACE FUNCTION {quote_name(schema)}.{heading}\n{_returns(layout)}\n{settings}\nAS $function$\n"
        f"{body}\n$function$"
        for heading, body in _functions(layout, point, index_type)
    ]


def _functions(layout: Layout, point: OperatingPoint, index_type: IndexType) -> list[tuple[str, str]]:
    """Return heading and body of each function."""
    items, limits = id_type(layout.side("items")), f"k int4 DEFAULT {_K}, shortlist int4 DEFAULT {point.shortlist}"
    condition = f"items.{ID} <> ALL (coalesce(search.excluded, '{{}}'))"
    heading = f"search(user_vector vector, {limits}, excluded {items}[] DEFAULT '{{}}')"
    functions = [
        (heading, _body("search", "SELECT search.user_vector AS vector", condition, layout, point, index_type))
    ]
    if layout.users is not None:
        condition = (
            f"NOT EXISTS (SELECT FROM seen WHERE seen.user_id = recommend.user_id AND seen.item_id = items.{ID})"
        )
        person = f"SELECT users.{VECTOR} FROM users WHERE users.{ID} = recommend.user_id"
        heading = f"recommend(user_id {id_type(layout.users)}, {limits})"
        functions.append((heading, _body("recommend", person, condition, layout, point, index_type)))
    return functions


def _body(name: str, person: str, condition: str, layout: Layout, point: OperatingPoint, index_type: IndexType) -> str:
    """Return a query of two stages; without a row of the user it finds nothing."""
    width = point.widths[0]
    limit = f"greatest({name}.shortlist, {name}.k)" if len(point.widths) > 1 else f"{name}.k"
    kind = index_type if width in indexed_widths(layout) else "vector"
    prefix, user = (prefix_sql(f"{table}.{VECTOR}", width, layout.size, kind) for table in ("items", "person"))
    title = layout.side("items").title_column
    shown = "" if title is None else f"items.{quote_name(title)}::text AS title, "
    return f"""WITH person AS MATERIALIZED ({person}),
best AS MATERIALIZED (
  SELECT items.{ID}, items.{VECTOR} FROM items
  WHERE {condition}
  ORDER BY {prefix} <#> (SELECT {user} FROM person)
  LIMIT {limit}
)
SELECT best.{ID}, {shown}-(best.{VECTOR} <#> person.{VECTOR}) AS score
FROM best CROSS JOIN person JOIN items ON items.{ID} = best.{ID}
ORDER BY score DESC, best.{ID}
LIMIT {name}.k;"""


def _returns(layout: Layout) -> str:
    items = layout.side("items")
    title = "" if items.title_column is None else "title text, "
    return f"RETURNS TABLE ({ID} {id_type(items)}, {title}score float8)"

"""The README and the SQL file of a folder of Parquet files."""

from __future__ import annotations

from pathlib import Path

from nestrec.atomic.output_file import atomic_file
from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.stores.duckdb_sql import search_sql
from nestrec.stores.layout import Layout
from nestrec.stores.metadata import OperatingPoint, StoreMetadata
from nestrec.stores.requests import DEFAULT_SHORTLIST, Stage

README, SQL = "README.md", "two_stage.sql"
_K = 10


def write_readme(folder: Path, metadata: StoreMetadata) -> None:
    """Write both files for an export that has ended."""
    texts = {README: _describe(metadata)}
    if metadata.layout.items is not None:
        texts[SQL] = format_sql(metadata)
    for name, text in texts.items():
        with atomic_file(folder / name, overwrite=True) as partial:
            partial.write_text(text, encoding="utf-8")


def format_sql(metadata: StoreMetadata) -> str:
    """Return a query to run from the folder: of a stored user where there are users, else of parameters."""
    layout, point = metadata.layout, _recommended(metadata)
    items, users = layout.side("items"), layout.users
    stages = tuple(Stage(width, limit) for width, limit in zip(point.widths, (*_shortlists(point), _K), strict=True))
    sql, parameters = search_sql(stages, "'items.parquet'", items.id_type)
    lines = [f"-- The {_K} best items of a user by {_describe_stages(point)}: nestrec's scores, seen items left out."]
    if users is not None:
        lines += ["-- Set the user first: SET VARIABLE user_id = …;"]
        row = f"(SELECT {{}} FROM 'users.parquet' WHERE id = getvariable('user_id')::{users.id_type})"
        for name, stage in parameters.items():
            sql = sql.replace(f"${name}::FLOAT[]", row.format(f"vector[1:{stage.width}]"))
        sql = sql.replace(f"unnest($excluded::{items.id_type}[])", f"unnest({row.format('seen')})")
    else:
        names = ", ".join(f"${name}" for name in parameters)
        lines += [f"-- Parameters: {names}, the first numbers of the user's vector; $excluded, item ids to leave out."]
    if items.title_column is not None:
        title = quote_name(items.title_column)
        chosen = f"SELECT best.id, items.{title} AS title, score\nFROM (\n{sql}\n) AS best"
        sql = f"{chosen} JOIN 'items.parquet' AS items USING (id)\nORDER BY score DESC, best.id"
    return "\n".join([*lines, sql + ";", ""])


def _recommended(metadata: StoreMetadata) -> OperatingPoint:
    if metadata.operating_points:
        return metadata.operating_points[-1]
    return OperatingPoint(1.0, metadata.layout.widths[-1:], DEFAULT_SHORTLIST, 1.0, _K, 0)


def _shortlists(point: OperatingPoint) -> tuple[int, ...]:
    return (point.shortlist,) * (len(point.widths) - 1)


def _describe_stages(point: OperatingPoint) -> str:
    if len(point.widths) == 1:
        return f"all {point.widths[0]} dimensions"
    return f"the first {point.widths[0]} dimensions, {point.shortlist} candidates, then all {point.widths[-1]}"


def _describe(metadata: StoreMetadata) -> str:
    layout = metadata.layout
    lines = [
        "# Embeddings exported by nestrec",
        "",
        "| file | rows | columns |",
        "|---|---|---|",
        *(f"| `{side}.parquet` | {_count(metadata, side):,} | {_columns(layout, side)} |" for side in layout.sides),
        "",
        "A score is the inner product of a user's and an item's vector, as they are stored: do not normalize them.",
        f"The first {', '.join(map(str, layout.widths))} dimensions are vectors of their own.",
        "",
    ]
    if layout.items is not None:
        lines += [f"`{SQL}` is the search in two stages for DuckDB. Measured on sampled users of this model:", ""]
        lines += ["| recall of the best 10 | stages |", "|---|---|"]
        lines += [f"| {point.recall:.3f} | {_describe_stages(point)} |" for point in metadata.operating_points]
        lines += [""]
    return "\n".join(lines)


def _count(metadata: StoreMetadata, side: str) -> int:
    return metadata.n_items if side == "items" else metadata.n_users


def _columns(layout: Layout, side: str) -> str:
    table = layout.items if side == "items" else layout.users
    others = {} if table is None else table.columns
    return ", ".join(f"`{name}`" for name in ("id", "vector", "fingerprint", *others))

"""Find the columns of ids and of titles: as given, by usual names, or by the ids that a model knows."""

from __future__ import annotations

import re

import duckdb
import numpy as np

from nestrec.arguments import suggest
from nestrec.data.readers.columns import USUAL_NAMES, normalize_name
from nestrec.data.readers.duckdb_connection import quote_name
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import DataError
from nestrec.item_table.column_types import classify_type
from nestrec.item_table.sources import SOURCE

Column = str | int | None

_TITLES = (
    "title", "name", "itemtitle", "itemname", "movietitle", "moviename", "booktitle", "songtitle", "songname",
    "tracktitle", "trackname", "artistname", "producttitle", "productname", "gametitle", "gamename", "articletitle",
    "headline", "label",
)  # fmt: skip
_IDS = ("id", "key", "code")
_SAMPLE = 10_000  # rows whose ids are compared with the model's


def choose_id_column(
    connection: duckdb.DuckDBPyConnection, columns: dict[str, str], given: Column, items: Vocabulary, name: str
) -> str:
    """Return the column of item ids: the given one, or the one with a usual name or most ids of the model.

    A column whose ids the model does not know at all is never chosen by its name. Raises DataError where there is none.
    """
    if given is not None:
        return find_column(list(columns), given, "id_column", name)
    possible = [one for one in columns if classify_type(columns[one]) in ("number", "text", "other")]
    shares = {one: _share_known(connection, one, columns[one], items) for one in possible}
    known = [one for one in possible if shares[one] > 0]
    if not known:
        example = items.ids[:1].tolist()
        raise DataError(
            f"{name} has no column with ids of the model, such as {example[0]!r}, among {', '.join(columns)}; name it "
            "with id_column",
            mentions=("id_column",),
        )
    return max(known, key=lambda one: (-_rank_name(one, (*USUAL_NAMES["item"], *_IDS)), shares[one]))


def choose_title_column(columns: dict[str, str], given: Column, id_column: str, name: str) -> str | None:
    """Return the column of titles: the given one, or a column of text with a usual name; None without one."""
    if given is not None:
        return find_column(list(columns), given, "title_column", name)
    possible = [one for one in columns if classify_type(columns[one]) == "text" and one != id_column]
    ranked = sorted(possible, key=lambda one: _rank_name(one, _TITLES))
    if ranked and _rank_name(ranked[0], _TITLES) < len(_TITLES):
        return ranked[0]
    return next((one for one in possible if _plain(one).endswith(("title", "name"))), None)


def find_column(names: list[str], given: str | int, option: str, source: str) -> str:
    """Return the column of a name or of a position from 1; raise DataError where there is none."""
    if given in names:
        return str(given)
    by_plain_name = [name for name in names if normalize_name(name) == given]
    if by_plain_name:
        return by_plain_name[0]
    position = int(given) if str(given).isdecimal() else 0
    if 1 <= position <= len(names):
        return names[position - 1]
    near = suggest(str(given), names) or ";"
    raise DataError(
        f"{option} must be a column of {source}, got {given!r}{near} columns: {', '.join(names)}", option=option
    )


def build_id_sql(column: str, kind: str) -> str:
    """Return the SQL of a column of ids as text; whole numbers stored as floats are written without decimals."""
    quoted = quote_name(column)
    if kind not in ("FLOAT", "DOUBLE"):
        return f"CAST({quoted} AS VARCHAR)"
    whole = f"{quoted} = floor({quoted}) AND abs({quoted}) < 9007199254740992"
    return f"CASE WHEN {whole} THEN CAST(CAST({quoted} AS BIGINT) AS VARCHAR) ELSE CAST({quoted} AS VARCHAR) END"


def _share_known(connection: duckdb.DuckDBPyConnection, column: str, kind: str, items: Vocabulary) -> float:
    """Return the share of the different values of a column, in a sample, that are ids of the model."""
    sampled = f"(SELECT {build_id_sql(column, kind)} AS id FROM {SOURCE} USING SAMPLE {_SAMPLE} ROWS (reservoir, 1))"
    rows = connection.execute(f"SELECT DISTINCT id FROM {sampled} WHERE id IS NOT NULL").fetchall()
    ids = [text for (text,) in rows]
    return float(np.mean(items.index_of(ids, unknown="mark") >= 0)) if ids else 0.0


def _rank_name(name: str, usual: tuple[str, ...]) -> int:
    plain = _plain(name)
    return usual.index(plain) if plain in usual else len(usual)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]+", "", normalize_name(name)).lower()

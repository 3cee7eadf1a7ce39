"""Which column is which: by the names the field uses, by a name given, or by position."""

from __future__ import annotations

import re
from dataclasses import dataclass

from nestrec.data.read_options import Column, ReadOptions
from nestrec.errors import DataError

# Compared without case, spaces and punctuation; where several columns match, the earlier name wins.
USUAL_NAMES: dict[str, tuple[str, ...]] = {
    "user": (
        "userid", "user", "uid", "userindex", "useridx", "username", "visitorid", "visitor", "customerid",
        "customer", "clientid", "reviewerid", "memberid", "member", "accountid", "profileid", "buyerid",
        "playerid", "personid", "readerid", "sessionid", "session", "u",
    ),
    "item": (
        "itemid", "item", "iid", "itemindex", "itemidx", "movieid", "movie", "productid", "product", "asin",
        "parentasin", "bookid", "book", "isbn", "songid", "song", "trackid", "track", "artistid", "artist",
        "articleid", "article", "newsid", "videoid", "video", "gameid", "game", "appid", "businessid",
        "gmapid", "placeid", "poiid", "recipeid", "storyid", "contentid", "documentid", "docid", "sku", "i",
    ),
    "rating": ("rating", "score", "stars", "star", "overall", "starrating", "userrating", "rate", "preference", "r"),
    "timestamp": (
        "timestamp", "time", "ts", "datetime", "date", "unixtime", "unixreviewtime", "reviewtime", "eventtime",
        "createdat", "t",
    ),
}  # fmt: skip
_IGNORED = re.compile(r"[\W_]+")
_RECBOLE_TYPE = re.compile(r":(token|float|token_seq|float_seq)$")


@dataclass(frozen=True)
class ColumnPlaces:
    """Where the columns are, from 0."""

    user: int
    item: int
    rating: int | None
    timestamp: int | None

    def roles(self) -> dict[str, int]:
        """Return the places of the columns there are, by role."""
        found = {"user": self.user, "item": self.item, "rating": self.rating, "timestamp": self.timestamp}
        return {role: place for role, place in found.items() if place is not None}


def plain_name(name: str) -> str:
    """Return the name without blanks and without the type RecBole writes after it."""
    return _RECBOLE_TYPE.sub("", name.strip())


def by_position(options: ReadOptions) -> bool:
    """Tell whether users and items are both named by position."""
    return all(_position(column) is not None for column in (options.user_column, options.item_column))


def has_usual_names(names: list[str]) -> bool:
    """Tell whether users and items are recognised among the names."""
    return _usual(names, "user") is not None and _usual(names, "item") is not None


def find_columns(names: list[str], options: ReadOptions, source: str, *, named: bool = True) -> ColumnPlaces:
    """Return the places of the columns; `named` tells whether `names` is a header or a first row of data.

    Raises DataError where users or items cannot be found, or what was named is not there.
    """
    plain = [plain_name(name) for name in names]
    user = _find(plain, "user", options.user_column, source, named=named)
    item = _find(plain, "item", options.item_column, source, named=named)
    rating = None if options.rating_column == "" else _find(plain, "rating", options.rating_column, source, named=named)
    if rating is None and options.min_rating is not None:
        raise DataError(f"{source} has no column of ratings among {_listed(plain)}, so min_rating cannot be "
                        "applied; name it with rating_column, or leave min_rating out")  # fmt: skip
    time = _find(plain, "timestamp", options.timestamp_column, source, named=named) if options.keep_timestamps else None
    if options.keep_timestamps and time is None:
        raise DataError(f"{source} has no column of times among {_listed(plain)}; name it with timestamp_column, "
                        "or use a split that needs no times")  # fmt: skip
    if user is None or item is None:
        raise DataError(_missing_sentence(plain, "users" if user is None else "items", source))
    if user == item:
        raise DataError(f"{source}: users and items cannot both be column {plain[user]!r}; name two columns")
    return ColumnPlaces(user, item, rating, time)


def _find(names: list[str], role: str, given: Column, source: str, *, named: bool) -> int | None:
    if given is None or given == "":
        return _usual(names, role) if named else None
    if isinstance(given, str) and named and plain_name(given) in names:
        return names.index(plain_name(given))
    position = _position(given)
    if position is None:
        raise DataError(f"{source} has no column {given!r}; its columns are {_listed(names)}")
    if position > len(names):
        raise DataError(f"{source} has no column {position}; it has {len(names)} columns: {_listed(names)}")
    return position - 1


def _usual(names: list[str], role: str) -> int | None:
    known = [_IGNORED.sub("", plain_name(name)).lower() for name in names]
    return next((known.index(name) for name in USUAL_NAMES[role] if name in known), None)


def _position(column: Column) -> int | None:
    if isinstance(column, int):
        return column
    return int(column) if column and column.isascii() and column.isdigit() and int(column) > 0 else None


def _missing_sentence(names: list[str], what: str, source: str) -> str:
    option = "user_column" if what == "users" else "item_column"
    return (
        f"{source} has no column of {what} among {_listed(names)}; name it with {option}, or, where the first line is "
        "no header, give positions: user_column=1, item_column=2; if this is one field, give the delimiter"
    )


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 40 else name[:40] + "…") for name in names[:12])
    return shown + (", …" if len(names) > 12 else "")

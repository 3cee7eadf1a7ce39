"""Find the columns of users, items, ratings and times: by usual names, by a given name, or by position."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
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
    "weight": (),  # never by its name alone: plays may also be what to leave out
}  # fmt: skip
# Of columns that are only looked at: 0 in them says that there was no interaction.
_LABELS = (
    "click", "clicked", "isclick", "label", "like", "liked", "islike", "isliked", "purchased", "ispurchase", "isread",
    "isbuy", "bought",
)  # fmt: skip
RATING_OPTIONS = ("min_rating", "dislike_below", "rating_weights")  # that need a column of ratings
_POSITIONS = ("user_column=1", "item_column=2", "rating_column=3")  # as errors give them
_IGNORED = re.compile(r"[\W_]+")
_RECBOLE_TYPE = re.compile(r":(token|float|token_seq|float_seq)$")


@dataclass(frozen=True)
class ColumnPlaces:
    """Where the columns are, from 0."""

    user: int
    item: int
    rating: int | None
    timestamp: int | None
    weight: int | None = None
    unused: int | None = None  # a column of ratings or labels that decides nothing; the reader looks at its values
    unused_is_rating: bool = False

    def roles(self) -> dict[str, int]:
        """Return the places of the columns that are used, by role."""
        found = {
            "user": self.user, "item": self.item, "rating": self.rating, "timestamp": self.timestamp,
            "weight": self.weight,
        }  # fmt: skip
        return {role: place for role, place in found.items() if place is not None}

    def read(self) -> dict[str, int]:
        """Return the places of the columns that are read, by role: the unused one is looked at."""
        return self.roles() | ({} if self.unused is None else {"unused": self.unused})


def normalize_name(name: str) -> str:
    """Return the name without blanks and without the type RecBole writes after it."""
    return _RECBOLE_TYPE.sub("", name.strip())


def has_positions(options: ReadOptions) -> bool:
    """Return whether users and items are both named by position."""
    return all(_parse_position(column) is not None for column in (options.user_column, options.item_column))


def has_usual_names(names: list[str]) -> bool:
    """Return whether users and items are recognised among the names."""
    return find_usual(names, "user") is not None and find_usual(names, "item") is not None


def find_columns(
    names: list[str], options: ReadOptions, source: str, *, named: bool = True, is_text: bool = False
) -> ColumnPlaces:
    """Return the places of the columns; `named` tells whether `names` is a header or a first row of data.

    `is_text` tells whether the names come from delimited text, whose first line may be no header.

    Raises DataError where users or items cannot be found, what was named is not there, or two roles name one column.
    """
    plain = [normalize_name(name) for name in names]
    places = _find_places(plain, options, source, named=named)
    user, item, rating = places["user"], places["item"], places["rating"]
    needs_rating = next((name for name in RATING_OPTIONS if getattr(options, name) not in (None, False)), None)
    if rating is None and needs_rating is not None:
        positions = (", or, where the first line is no header, give positions: user_column=1, item_column=2, "
                     "rating_column=3") if is_text and named else ""  # fmt: skip
        raise DataError(f"{source} has no column of ratings among {_format_names(plain)}, so {needs_rating} cannot be "
                        f"applied; name it with rating_column{positions}, or leave {needs_rating} out",
                        mentions=(needs_rating, *_POSITIONS, "rating_column"))  # fmt: skip
    time = places["timestamp"]
    if (options.keep_timestamps or options.half_life is not None) and time is None:
        remedy = "use a split that needs no times" if options.half_life is None else "leave half_life out"
        raise DataError(f"{source} has no column of times among {_format_names(plain)}; name it with timestamp_column, "
                        f"or {remedy}", mentions=("timestamp_column", "half_life"))  # fmt: skip
    if user is None or item is None:
        raise _build_missing_error(plain, "user" if user is None else "item", source, is_text=is_text)
    weight = places["weight"]
    if options.reads_ratings:
        return ColumnPlaces(user, item, rating, time, weight)
    label = None if rating is not None or options.rating_column == "" or not named else _find_label(plain, places)
    return ColumnPlaces(user, item, None, time, weight, label if rating is None else rating, rating is not None)


def refuse_sequences(names: list[str], places: Mapping[str, int], options: ReadOptions, source: str) -> None:
    """Raise DataError where RecBole's header gives users the type of sequences, or items without `sequence` set."""
    for role in ("user", "item"):
        name = names[places[role]].strip()
        if not name.endswith((":token_seq", ":float_seq")) or (role == "item" and options.sequence):
            continue
        remedy = "read each element as one interaction with sequence=True, or " if role == "item" else ""
        raise DataError(
            f"{source}: column {name!r} holds sequences by its type, so a cell is not one {role}; "
            f"{remedy}name another {role}_column",
            mentions=("sequence=True", f"{role}_column"),
        )


def _find_places(names: list[str], options: ReadOptions, source: str, *, named: bool) -> dict[str, int | None]:
    """Return the place of each role's column, or None; a column given to one role is not recognised for another.

    Raises DataError where two roles would share a column.
    """
    given: dict[str, Column] = {role: getattr(options, f"{role}_column") for role in USUAL_NAMES}
    used_roles = [role for role in USUAL_NAMES if role != "timestamp" or options.reads_times]
    places: dict[str, int | None] = dict.fromkeys(USUAL_NAMES)
    for role in USUAL_NAMES:
        if given[role] in (None, ""):
            continue
        if role not in used_roles and not _is_there(names, given[role], named=named):
            continue
        place = _find(names, given[role], source, named=named)
        _refuse_shared_column(places, role, place, names, source)
        if role in used_roles:
            places[role] = place
    for role in used_roles if named else ():
        if given[role] is None or (given[role] == "" and role != "rating"):
            taken = {place for place in places.values() if place is not None}
            places[role] = find_usual(names, role, taken)
            needs_times = options.keep_timestamps or options.half_life is not None
            needed = {"rating": options.reads_ratings, "timestamp": needs_times}
            if places[role] is None and needed.get(role, True):
                _refuse_shared_column(places, role, find_usual(names, role), names, source)
    return places


def _refuse_shared_column(
    places: dict[str, int | None], role: str, place: int | None, names: list[str], source: str
) -> None:
    for other, taken in places.items():
        if taken is not None and taken == place:
            raise DataError(
                f"{source}: {other}_column and {role}_column must be two columns, got {names[taken]!r} for both; "
                "name another column for one of them",
                mentions=(f"{other}_column", f"{role}_column"),
            )


def _is_there(names: list[str], given: Column, *, named: bool) -> bool:
    """Return whether there is a column of the given name or position."""
    position = _parse_position(given)
    return (position is not None and position <= len(names)) or (named and normalize_name(str(given)) in names)


def _find(names: list[str], given: Column, source: str, *, named: bool) -> int:
    if isinstance(given, str) and named and normalize_name(given) in names:
        return names.index(normalize_name(given))
    position = _parse_position(given)
    if position is None:
        raise DataError(f"{source} has no column {given!r}; its columns are {_format_names(names)}")
    if position > len(names):
        raise DataError(f"{source} has no column {position}; it has {len(names)} columns: {_format_names(names)}")
    return position - 1


def find_usual(names: list[str], role: str, taken: Collection[int] = ()) -> int | None:
    """Return the place of the first usual name of the role that is not taken, or None."""
    plain = [_IGNORED.sub("", normalize_name(name)).lower() for name in names]
    known = ["" if place in taken else name for place, name in enumerate(plain)]
    return next((known.index(name) for name in USUAL_NAMES[role] if name in known), None)


def _find_label(names: list[str], places: dict[str, int | None]) -> int | None:
    """Return the place of a column that says whether there was an interaction at all."""
    known = [_IGNORED.sub("", name).lower() for name in names]
    return next((place for place, name in enumerate(known) if name in _LABELS and place not in places.values()), None)


def _parse_position(column: Column) -> int | None:
    if isinstance(column, int):
        return column
    return int(column) if column and column.isascii() and column.isdigit() and int(column) > 0 else None


def _build_missing_error(names: list[str], role: str, source: str, *, is_text: bool) -> DataError:
    text = f"{source} has no column of {role}s among {_format_names(names)}; name it with {role}_column"
    if is_text:
        text += (
            f", or, where the first line is no header, give positions: {', '.join(_POSITIONS[:2])}; "
            "if this is one field, give another delimiter"
        )
    return DataError(text, mentions=(*_POSITIONS[:2], "delimiter", f"{role}_column"))


def _format_names(names: list[str]) -> str:
    shown = ", ".join(repr(name if len(name) <= 40 else name[:40] + "…") for name in names[:12])
    return shown + (", …" if len(names) > 12 else "")

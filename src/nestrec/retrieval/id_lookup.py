"""Look up ids in a model's vocabularies: unknown ones raise, or are left out and reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, Set, ValuesView
from typing import Any, Literal, NamedTuple

import numpy.typing as npt

from nestrec.arrays import BoolArray, Int32Array
from nestrec.data.ids import IdArray, canonicalize_ids
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError, UnknownIdError

Unknown = Literal["raise", "skip"]
Ids = npt.ArrayLike | Iterable[Any]  # one id, or many: list, array, Series, set, iterator

_MOST_SHOWN = 5  # unknown ids in an error
_SKIP = 'unknown="skip"'


class LookedUp(NamedTuple):
    """Rows of the given ids."""

    rows: Int32Array  # (n_known,) in the given order
    ids: IdArray  # (n_known,) the vocabulary's ids of these rows
    skipped: IdArray  # (n_unknown,) as they were given
    single: bool  # one id by itself, not in a list
    known: BoolArray  # (n_given,) which of the given ids these are


def look_up(vocabulary: Vocabulary, ids: Ids, noun: str, unknown: Unknown, *, offers_skip: bool = True) -> LookedUp:
    """Return the rows of one id or of a list of ids; `noun` (user, item) is used in errors.

    Raises UnknownIdError for ids that the vocabulary does not hold, unless `unknown` is "skip", which errors propose
    where the caller `offers_skip`.
    """
    if unknown not in ("raise", "skip"):
        raise OptionError(f'unknown must be "raise" or "skip", got {unknown!r}', option="unknown")
    if ids is None or isinstance(ids, (Mapping, type)):
        raise OptionError(f"{noun} ids must be one id or a list of them, got {_describe(ids)}")
    given = canonicalize_ids(_as_list(ids))
    if given.ndim > 1:
        raise OptionError(f"{noun} ids must be one id or a list of them, got {given.ndim} dimensions; flatten them")
    flat = given.reshape(-1)
    rows = vocabulary.index_of(flat, unknown="mark")
    known = rows >= 0
    if unknown == "raise" and not known.all():
        message = _describe_unknown(vocabulary, flat[~known], noun)
        if not offers_skip:
            raise UnknownIdError(message)
        raise UnknownIdError(f"{message}, or give {_SKIP} to leave unknown ones out", mentions=(_SKIP,))
    return LookedUp(rows[known], vocabulary.ids_at(rows[known]), flat[~known], given.ndim == 0, known)


def look_up_one(vocabulary: Vocabulary, id_: Any, noun: str) -> int:
    """Return the row of one id; raise OptionError for a list, UnknownIdError for an unknown id."""
    found = look_up(vocabulary, id_, noun, "raise", offers_skip=False)
    if not found.single:
        raise OptionError(f"{noun}_id must be a single id, got {len(found.rows)} of them", option=f"{noun}_id")
    return int(found.rows[0])


def _as_list(ids: Ids) -> Any:
    return list(ids) if isinstance(ids, (Set, Iterator, KeysView, ValuesView)) else ids


def _describe(ids: object) -> str:
    return "None" if ids is None else f"a {type(ids).__name__}"


def _describe_unknown(vocabulary: Vocabulary, unknown: IdArray, noun: str) -> str:
    distinct = list(dict.fromkeys(unknown.tolist()))
    shown = ", ".join(map(repr, distinct[:_MOST_SHOWN]))
    more = f" and {len(distinct) - _MOST_SHOWN} more" if len(distinct) > _MOST_SHOWN else ""
    subject = f"{noun} id {shown} is" if len(distinct) == 1 else f"{noun} ids {shown}{more} are"
    example = vocabulary.ids[:1].tolist()
    return (
        f"{subject} unknown to the model, which knows {len(vocabulary)} {noun}s, such as {example[0]!r}; "
        f"correct the {'id' if len(distinct) == 1 else 'ids'}"
    )

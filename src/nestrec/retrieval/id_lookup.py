"""From the ids a caller names to rows of the model: unknown ones raise, or are left out and reported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, KeysView, Mapping, Set, ValuesView
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from nestrec.arrays import Int32Array
from nestrec.data.ids import IdArray, canonicalize_ids
from nestrec.data.vocabulary import Vocabulary
from nestrec.errors import OptionError, UnknownIdError

Unknown = Literal["raise", "skip"]
Ids = npt.ArrayLike | Iterable[Any]  # one id, or many: list, array, Series, set, iterator

_NAMED = 5  # unknown ids that an error names


class Found(NamedTuple):
    """The rows of the ids asked for."""

    rows: Int32Array  # (n_known,) in the order asked
    ids: IdArray  # (n_known,) the vocabulary's ids of these rows
    skipped: IdArray  # (n_unknown,) as they were asked for
    single: bool  # one id was given by itself, not in a list


def find(vocabulary: Vocabulary, ids: Ids, noun: str, unknown: Unknown) -> Found:
    """Return the rows of one id or of a list of ids; `noun` (user, item) is for the error's sentence.

    Raises UnknownIdError for ids that the vocabulary does not hold, unless `unknown` is "skip".
    """
    if unknown not in ("raise", "skip"):
        raise OptionError(f'unknown={unknown!r} is no choice; give "raise" or "skip"')
    if ids is None or isinstance(ids, (Mapping, type)):
        raise OptionError(f"{noun} ids must be one id or a list of them, got {_shown(ids)}")
    asked = canonicalize_ids(_listed(ids))
    if asked.ndim > 1:
        raise OptionError(f"{noun} ids are one id or a list of them, not {asked.ndim} dimensions; flatten them first")
    flat = asked.reshape(-1)
    rows = vocabulary.index_of(flat)
    known = rows >= 0
    if unknown == "raise" and not known.all():
        raise UnknownIdError(_sentence(vocabulary, flat[~known], noun))
    return Found(rows[known], vocabulary.ids_at(rows[known]), flat[~known], asked.ndim == 0)


def allowed_rows(vocabulary: Vocabulary, allow: Ids | None, deny: Ids | None, unknown: Unknown) -> Found | None:
    """Return the items left by an allow-list and a deny-list, ascending; None where neither is given."""
    if allow is None and deny is None:
        return None
    kept = np.ones(len(vocabulary), dtype=np.bool_)
    skipped: list[IdArray] = []
    if allow is not None:
        allowed = find(vocabulary, allow, "item", unknown)
        kept[:] = False
        kept[allowed.rows] = True
        skipped.append(allowed.skipped)
    if deny is not None:
        denied = find(vocabulary, deny, "item", unknown)
        kept[denied.rows] = False
        skipped.append(denied.skipped)
    rows = np.flatnonzero(kept).astype(np.int32)
    return Found(rows, vocabulary.ids_at(rows), _joined(skipped), single=False)


def _listed(ids: Ids) -> Any:
    return list(ids) if isinstance(ids, (Set, Iterator, KeysView, ValuesView)) else ids


def _shown(ids: object) -> str:
    return "None" if ids is None else f"a {type(ids).__name__}"


def _joined(parts: list[IdArray]) -> IdArray:
    filled = [part for part in parts if len(part)]
    if not filled:
        return parts[0]
    return filled[0] if len(filled) == 1 else canonicalize_ids([value for part in filled for value in part.tolist()])


def _sentence(vocabulary: Vocabulary, unknown: IdArray, noun: str) -> str:
    named = ", ".join(map(repr, unknown[:_NAMED].tolist()))
    more = f" and {len(unknown) - _NAMED} more" if len(unknown) > _NAMED else ""
    verb = f"{noun} id {named} is" if len(unknown) == 1 else f"{noun} ids {named}{more} are"
    example = vocabulary.ids[:1].tolist()
    return (
        f"{verb} unknown to the model, which knows {len(vocabulary)} {noun}s, such as {example[0]!r}; "
        'correct the ids, or pass unknown="skip" to leave unknown ones out'
    )

"""The baselines by name. A name costs nothing; its class is imported when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.baselines.baseline import Baseline

_HOMES: dict[str, tuple[str, str]] = {  # name -> file, class; in the order of a table: plain to elaborate
    "popularity": ("popularity", "Popularity"),
    "itemknn-cosine": ("item_knn", "CosineKnn"),
    "itemknn-tfidf": ("item_knn", "TfidfKnn"),
    "itemknn-bm25": ("item_knn", "Bm25Knn"),
    "ease": ("ease", "Ease"),
    "puresvd": ("puresvd", "PureSvd"),
    "ials": ("ials", "Ials"),
    "ials-rotated": ("ials", "IalsRotated"),
    "implicit-bpr": ("implicit_bpr", "ImplicitBpr"),
    "lightgcn": ("lightgcn", "LightGCN"),
    "nestrec-alone": ("nested", "NestrecAlone"),
    "nestrec": ("nested", "Nestrec"),
}


class _Classes(Mapping[str, "type[Baseline]"]):
    """Name -> class, imported on first use."""

    def __getitem__(self, name: str) -> type[Baseline]:
        file, class_name = _HOMES[name]
        return cast("type[Baseline]", getattr(import_module(f"nestrec.baselines.{file}"), class_name))

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


BASELINES: Mapping[str, type[Baseline]] = _Classes()


def baseline(name: str, **options: Any) -> Baseline:
    """Return the baseline of this name with these hyperparameters.

    Raises OptionError for a name that is not among BASELINES, and for an option it does not have or whose value breaks
    its rule.
    """
    if name not in BASELINES:
        raise OptionError(f"{name!r} is no baseline; choose one of {', '.join(BASELINES)}")
    made = BASELINES[name]
    known = [field.name for field in fields(cast("Any", made))]
    for option in options:
        if option not in known:
            choices = f"choose from {', '.join(known)}" if known else "leave it out: there is nothing to set"
            raise OptionError(f"{name} has no option {option!r}; {choices}")
    return cast("Any", made)(**options)  # type: ignore[no-any-return]

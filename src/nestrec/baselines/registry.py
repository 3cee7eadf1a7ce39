"""Registry of baselines by name; classes are imported on first use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.baselines.baseline import Baseline

_HOMES: dict[str, tuple[str, str]] = {  # name -> module, class; in the order of tables
    "popularity": ("popularity", "Popularity"),
    "itemknn-cosine": ("item_knn", "CosineKnn"),
    "itemknn-tfidf": ("item_knn", "TfidfKnn"),
    "itemknn-bm25": ("item_knn", "Bm25Knn"),
    "ease": ("ease", "Ease"),
    "puresvd": ("puresvd", "PureSvd"),
    "ials": ("ials", "Ials"),
    "ials-rotated": ("ials", "IalsRotated"),
    "implicit-bpr": ("implicit_bpr", "ImplicitBpr"),
    "lightgcn": ("lightgcn", "LightGCNBaseline"),
    "ultragcn": ("ultragcn", "UltraGCN"),
    "mf-bsl": ("mf_bsl", "MfBsl"),
    "nestrec-alone": ("nested", "NestrecAlone"),
    "nestrec-alone-cut": ("nested", "NestrecAloneCut"),
    "nestrec-alone-rotated": ("nested", "NestrecAloneRotated"),
    "nestrec": ("nested", "Nestrec"),
}


# Baselines that use more of interactions than their pairs; `Trainer` trains the models that use dislikes.
USING_DISLIKES = frozenset({"lightgcn", "nestrec", "nestrec-alone", "nestrec-alone-cut", "nestrec-alone-rotated"})
USING_WEIGHTS = USING_DISLIKES | {"ials", "ials-rotated"}


class _Classes(Mapping[str, "type[Baseline]"]):
    """Name -> class, imported on first use."""

    def __getitem__(self, name: str) -> type[Baseline]:
        module, class_name = _HOMES[name]
        return cast("type[Baseline]", getattr(import_module(f"nestrec.baselines.{module}"), class_name))

    def __contains__(self, name: object) -> bool:
        return name in _HOMES

    def __iter__(self) -> Iterator[str]:
        return iter(_HOMES)

    def __len__(self) -> int:
        return len(_HOMES)


BASELINES: Mapping[str, type[Baseline]] = _Classes()


def source_of(name: str) -> str | None:
    """Return the baseline from whose model the one of this name is derived; None if it is fitted itself.

    >>> source_of("nestrec-alone-cut")
    'nestrec-alone'
    """
    return getattr(BASELINES[name], "source", None)


def baseline(name: str, **options: Any) -> Baseline:
    """Return the baseline of this name with these hyperparameters.

    Raises OptionError for an unknown name or option, and for an invalid value.
    """
    if name not in BASELINES:
        raise OptionError(f"a baseline must be one of {', '.join(BASELINES)}; got {name!r}")
    baseline_class = cast("Any", BASELINES[name])
    known = [field.name for field in fields(baseline_class)]
    for option in options:
        if option not in known:
            choices = f"must be one of {', '.join(known)}" if known else "do not exist"
            raise OptionError(f"options of {name} {choices}; got {option!r}")
    return baseline_class(**options)  # type: ignore[no-any-return]

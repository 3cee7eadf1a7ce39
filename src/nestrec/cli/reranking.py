"""Options of `nestrec recommend` that choose lists other than by score alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from nestrec.cli.error_messages import rename_options
from nestrec.cli.panels import LISTS
from nestrec.cli.shared_options import option
from nestrec.errors import OptionError

if TYPE_CHECKING:
    from nestrec.embeddings import NestedEmbeddings
    from nestrec.reranking.catalogue import Groups
    from nestrec.reranking.reranker import Reranker


@dataclass(frozen=True)
class Reranking:
    """How lists are chosen from more candidates than they hold."""

    panel: ClassVar[str] = LISTS

    diversity: Annotated[
        float | None, option("S", "Vary lists: 0 is scores alone, 1 dissimilarity alone (marginal relevance).", "off")
    ] = None
    diversity_width: Annotated[int | None, option("W", "Width that similarity is measured at.", "the narrowest")] = None
    calibrate: Annotated[
        float | None, option("S", "Match the groups of the user's history: 0 is scores alone, 1 groups alone.", "off")
    ] = None
    most_per_group: Annotated[int | None, option("N", "Items of a group in a list, at most.", "any number")] = None
    groups: Annotated[
        str | None, option("N|COLUMN", "Groups: so many clusters of the narrowest width, or an item column.", "16")
    ] = None
    popularity_penalty: Annotated[
        float, option("P", "Subtract P * log(1 + interactions of the item) from scores, by a full scan.")
    ] = 0.0

    def reranker(self) -> Reranker | None:
        """Return what the options say; raise OptionError for two at once, or for one without effect."""
        from nestrec.reranking import Calibrate, Diversify, Quota

        options = {
            "--diversity": self.diversity,
            "--calibrate": self.calibrate,
            "--most-per-group": self.most_per_group,
        }
        given = [name for name, value in options.items() if value is not None]
        if len(given) > 1:
            raise OptionError(f"give one of {', '.join(options)}; got {' and '.join(given)}")
        if self.diversity_width is not None and self.diversity is None:
            raise OptionError("--diversity-width needs --diversity S")
        if self.groups is not None and self.calibrate is None and self.most_per_group is None:
            raise OptionError("--groups needs --calibrate S or --most-per-group N")
        if self.diversity is not None:
            with rename_options(strength="diversity"):
                return Diversify(self.diversity, self.diversity_width)
        if self.calibrate is not None:
            with rename_options(strength="calibrate", topics="groups"):
                return Calibrate(self.calibrate, self._groups())
        if self.most_per_group is None:
            return None
        with rename_options(most="most_per_group", topics="groups"):
            return Quota(self.most_per_group, self._groups())

    def check(self, model: NestedEmbeddings) -> None:
        """Raise OptionError for a width or a column that the model lacks."""
        if self.diversity_width is not None and self.diversity_width not in model.widths.values:
            widths = ", ".join(map(str, model.widths))
            raise OptionError(
                f"diversity_width must be one of {widths}; got {self.diversity_width}", option="diversity_width"
            )
        if self.groups is not None and not self.groups.isdecimal() and model.item_table is not None:
            with rename_options(column="groups"):
                model.item_table.require_column(self.groups)

    def describe_short(self, n_items: int, n_lists: int, k: int) -> str | None:
        """Return what to say where a quota leaves lists of fewer than k items on average; None where it does not."""
        if self.most_per_group is None or n_items >= n_lists * k:
            return None
        lists = (
            f"The list has {n_items} items" if n_lists == 1 else f"Lists have {n_items / n_lists:.1f} items on average"
        )
        return f"{lists}, fewer than {k}: --most-per-group {self.most_per_group} leaves out the other candidates"

    def _groups(self) -> Groups:
        from nestrec.reranking import Categories, Topics

        if self.groups is None:
            return Topics()
        return Topics(int(self.groups)) if self.groups.isdecimal() else Categories(self.groups)

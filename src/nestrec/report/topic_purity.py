"""Topic purity on synthetic data: the share of nearest neighbours with the same topic and subtopic, by width."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.data.synthetic import GeneratedData
    from nestrec.embeddings import NestedEmbeddings

_NEIGHBOURS = 10


def hierarchy_table(model: NestedEmbeddings, data: GeneratedData) -> TextTable:
    """Return, by width, the share of the items' nearest neighbours in the same topic and in the same subtopic."""
    rows = tuple((str(width), *map(_format_percent, _purity(model, data, width))) for width in model.widths)
    title = f"Share of the {_NEIGHBOURS} nearest neighbours of an item with its topic"
    return TextTable(("width", "same topic", "same subtopic"), rows, title)


def _purity(model: NestedEmbeddings, data: GeneratedData, width: int) -> tuple[float, float]:
    ids, _ = model.similar_items(model.items.ids, _NEIGHBOURS, width)
    neighbours = model.items.index_of(ids)  # (n_items, k)
    rows = data.interactions.items.index_of(model.items.ids)  # the model lacks items without training interactions
    topics, subtopics = data.item_topic[rows], data.item_subtopic[rows]
    return (
        float((topics[neighbours] == topics[:, None]).mean()),
        float((subtopics[neighbours] == subtopics[:, None]).mean()),
    )


def _format_percent(share: float) -> str:
    return f"{100 * share:.0f}%"

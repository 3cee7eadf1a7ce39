"""What each width knows of the built-in world: how many of an item's neighbours share its topic, its subtopic."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nestrec.report.table import TextTable

if TYPE_CHECKING:
    from nestrec.data.synthetic import GeneratedData
    from nestrec.embeddings import NestedEmbeddings

_NEIGHBOURS = 10


def hierarchy_table(model: NestedEmbeddings, world: GeneratedData) -> TextTable:
    """Return, by width, the share of the items' nearest neighbours in the same topic and in the same subtopic."""
    rows = tuple((str(width), *map(_percent, _shares(model, world, width))) for width in model.widths)
    title = f"Of an item's {_NEIGHBOURS} nearest items, how many are of its kind"
    return TextTable(("width", "same topic", "same subtopic"), rows, title)


def _shares(model: NestedEmbeddings, world: GeneratedData, width: int) -> tuple[float, float]:
    ids, _ = model.similar_items(model.items.ids, _NEIGHBOURS, width)
    neighbours = model.items.index_of(ids)  # (n_items, k)
    places = world.interactions.items.index_of(model.items.ids)  # the model lacks items without training interactions
    topics, subtopics = world.item_topic[places], world.item_subtopic[places]
    return (
        float((topics[neighbours] == topics[:, None]).mean()),
        float((subtopics[neighbours] == subtopics[:, None]).mean()),
    )


def _percent(share: float) -> str:
    return f"{100 * share:.0f}%"

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from nestrec import NestedEmbeddings, SyntheticData, Trainer
from nestrec.serving.app import Server
from nestrec.serving.model_set import ModelSet
from nestrec.serving.served_model import ServedModel, open_served_model
from tests.serving.asgi import Client, client_of


@pytest.fixture(scope="session")
def shop() -> NestedEmbeddings:
    """Return a model of 60 users and 80 items, with titles, colours and prices."""
    interactions = SyntheticData(n_users=60, n_items=80, interactions_per_user=8).generate(seed=0).interactions
    trained = Trainer(widths=(4, 8, 16), epochs=2).fit(interactions, validation=None)
    ids = trained.items.ids.tolist()
    table = {
        "id": ids,
        "title": [f"Title of {id_}" for id_ in ids],
        "colour": [("red", "blue")[place % 2] for place in range(len(ids))],
        "price": list(range(len(ids))),
    }
    return trained.with_item_table(table, title_column="title")


@pytest.fixture(scope="session")
def folder(shop: NestedEmbeddings, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("served") / "shop"
    shop.save(path)
    return path


@pytest.fixture(scope="session")
def served(folder: Path) -> ServedModel:
    return open_served_model("shop", folder)


@pytest.fixture
def client(served: ServedModel) -> Iterator[Client]:
    with client_of(Server(ModelSet.of([served]))) as client:
        yield client

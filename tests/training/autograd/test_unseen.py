"""Unseen items: never a seen one, all equally likely, exact for users who have seen nearly everything."""

from __future__ import annotations

import numpy as np
import pytest

from nestrec.data.interactions import Interactions
from tests.training.worlds import from_sets, tiny

torch = pytest.importorskip("torch")

from nestrec.training.autograd.counter_rng import random_bits  # noqa: E402
from nestrec.training.autograd.unseen import SeenItems  # noqa: E402

CPU = torch.device("cpu")


def seen_items(interactions: Interactions) -> SeenItems:
    return SeenItems(interactions.indptr, interactions.indices, interactions.n_items, CPU)


def test_what_is_drawn_was_not_seen() -> None:
    interactions = tiny()
    users = torch.arange(interactions.n_users)
    drawn = seen_items(interactions).draw(users, random_bits(3, torch.arange(len(users) * 60).view(-1, 4, 15)))
    assert drawn.shape == (interactions.n_users, 4, 15)
    assert 0 <= int(drawn.min()) <= int(drawn.max()) < interactions.n_items
    matrix = interactions.to_scipy().toarray() > 0
    assert not matrix[users[:, None, None].numpy(), drawn.numpy()].any()


def test_every_unseen_item_is_as_likely() -> None:
    """A search that counts the seen items one off would never draw the first or the last unseen one."""
    seen = [[0, 3, 4, 9], [5], [0, 1, 2], [], [7, 8, 9]]
    bits = random_bits(2**63 + 7, torch.arange(5 * 6000).view(5, 6000))
    drawn = seen_items(from_sets(seen, n_items=10)).draw(torch.arange(5), bits)
    for row, items in zip(drawn.numpy(), seen, strict=True):
        unseen = sorted(set(range(10)) - set(items))
        found, counts = np.unique(row, return_counts=True)
        assert found.tolist() == unseen
        expected = 6000 / len(unseen)
        assert np.abs(counts - expected).max() < 5 * np.sqrt(expected)


@pytest.mark.parametrize("unseen", [0, 321, 999])
def test_the_one_unseen_item_is_found(unseen: int) -> None:
    """Beside users who have seen everything and nothing."""
    items = [item for item in range(1000) if item != unseen]
    world = from_sets([list(range(1000)), items, []], 1000)
    drawn = seen_items(world).draw(torch.tensor([1, 1]), random_bits(1, torch.arange(400).view(2, 200)))
    assert set(drawn.flatten().tolist()) == {unseen}


def test_holds_is_membership() -> None:
    """For every user and item, those without interactions and those after the last pair included."""
    sets = [[0, 3, 4], [], [2], [0, 1, 2, 3, 4], []]
    users, items = (grid.flatten() for grid in torch.meshgrid(torch.arange(5), torch.arange(5), indexing="ij"))
    found = seen_items(from_sets(sets, 5)).holds(users, items)
    assert found.tolist() == [item in sets[user] for user in range(5) for item in range(5)]

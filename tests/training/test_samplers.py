"""Samplers are values."""

from __future__ import annotations

import pytest

from nestrec.data.world import World
from nestrec.errors import OptionError
from nestrec.training.samplers import LARGEST_POOL, DynamicSampler, SoftmaxSampler, UniformSampler
from nestrec.training.trainer import Trainer


def test_samplers_compare_by_value() -> None:
    assert DynamicSampler(4) == DynamicSampler(4) != DynamicSampler(8)
    assert UniformSampler() == UniformSampler()
    assert len({DynamicSampler(4), DynamicSampler(4), UniformSampler()}) == 2


def test_samplers_say_how_many_candidates_they_draw() -> None:
    """None leaves it to the data; uniform sampling has nothing to choose from."""
    assert DynamicSampler().n_candidates is None
    assert DynamicSampler(LARGEST_POOL).n_candidates == LARGEST_POOL
    assert UniformSampler().n_candidates == 1


def test_samplers_do_not_change() -> None:
    with pytest.raises(AttributeError):
        DynamicSampler(4).n_candidates = 5  # type: ignore[misc]


@pytest.mark.parametrize("n_candidates", [0, -64, 32, 100, LARGEST_POOL + 64])
def test_a_softmax_needs_whole_vectors_of_candidates(n_candidates: int) -> None:
    sentence = f"{n_candidates} candidates cannot share a softmax; give a multiple of 64 up to 1024, as in 128"
    with pytest.raises(OptionError, match=sentence):
        SoftmaxSampler(n_candidates)


def test_each_loss_has_rules_of_its_own() -> None:
    """Pairwise samplers share theirs; those of the softmax differ in what they decide too."""
    assert DynamicSampler().rules == UniformSampler().rules
    assert SoftmaxSampler().rules.softmax
    assert not DynamicSampler().rules.softmax


def test_the_data_choose_the_loss() -> None:
    """Few interactions per user: the softmax; 50 and more: pairs. A sampler that is given is the one that is used."""
    few = World(n_users=200, n_items=400).generate(seed=1).interactions
    many = World(n_users=60, n_items=360, interactions_per_user=90).generate(seed=1).interactions
    assert few.n_interactions < 50 * few.n_users
    assert many.n_interactions >= 50 * many.n_users
    assert isinstance(Trainer().sampler_for(few), SoftmaxSampler)
    assert isinstance(Trainer().sampler_for(many), DynamicSampler)
    assert isinstance(Trainer(sampler=UniformSampler()).sampler_for(few), UniformSampler)
    assert Trainer().objective(few).softmax
    assert not Trainer().objective(many).softmax

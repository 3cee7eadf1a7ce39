"""Samplers are values."""

from __future__ import annotations

import pytest

from nestrec.data.synthetic import SyntheticData
from nestrec.errors import OptionError
from nestrec.training.losses import BPR, BinaryCrossEntropy, SampledSoftmax
from nestrec.training.samplers import LARGEST_POOL, DynamicSampler, PoolSampler, UniformSampler
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
    sentence = f"n_candidates of a pool must be a multiple of 64 up to 1024, got {n_candidates} "
    with pytest.raises(OptionError, match=sentence):
        PoolSampler(n_candidates)


def test_each_loss_has_rules_of_its_own() -> None:
    """Pairwise losses share theirs; those of the softmax differ in what they decide too."""
    assert BPR().data_defaults == BinaryCrossEntropy().data_defaults
    assert SampledSoftmax().data_defaults.softmax
    assert not BPR().data_defaults.softmax


@pytest.mark.parametrize("coupling", [-0.1, 1.1, float("nan")])
def test_a_coupling_out_of_range_says_why(coupling: float) -> None:
    with pytest.raises(OptionError, match=f"coupling must be between 0 and 1, got {coupling}"):
        SampledSoftmax(coupling=coupling)


def test_the_softmax_is_the_default_and_pairs_one_option_away() -> None:
    world = SyntheticData(n_users=200, n_items=400).generate(seed=1).interactions
    assert Trainer().resolve(world).objective.softmax
    assert not Trainer(sampler=DynamicSampler()).resolve(world).objective.softmax
    assert Trainer(sampler=DynamicSampler()).resolve(world).objective.coupling == 1

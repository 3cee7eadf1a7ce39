"""Every wrong value gets a sentence with the value, the rule and the way out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nestrec.errors import OptionError
from nestrec.training.objective import normalize_level_weights
from nestrec.training.options import Run
from nestrec.training.samplers import DynamicSampler, UniformSampler
from nestrec.training.trainer import Trainer
from nestrec.widths import Widths
from tests.training.worlds import tiny

NAN = float("nan")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"widths": ()}, "no width was given; name at least one, as in 4,8,16,32,64"),
        ({"widths": (8, 4)}, "widths must be positive, ascending and unique; got 8,4"),
        ({"widths": (4, 4)}, "widths must be positive, ascending and unique; got 4,4"),
        ({"widths": (0, 4)}, "widths must be positive, ascending and unique; got 0,4"),
        ({"widths": (4, 1025)}, "width 1025 is too large; the widest is 1024"),
        ({"widths": (4, 8.5)}, "widths must be integers"),
        ({"level_weights": (1, 2)}, "level_weights must be .*; got 1,2 for 5 widths"),
        ({"level_weights": (1, 1, 1, 1, 0)}, "the widest one's above 0; got 1,1,1,1,0"),
        ({"level_weights": (1, -1, 1, 1, 1)}, "level_weights must be .* not negative.*; got 1,-1,1,1,1"),
        ({"level_weights": (1, NAN, 1, 1, 1)}, "level_weights must be .* finite.*; got 1,nan,1,1,1"),
        ({"epochs": 0}, "epochs must be between 1 and 100000, got 0"),
        ({"epochs": 2.5}, "epochs must be an integer, got 2.5"),
        ({"patience": "3"}, "patience must be an integer, got '3'"),
        ({"learning_rate": 0}, "learning_rate must be between 1e-06 and 10, got 0"),
        ({"learning_rate": NAN}, "learning_rate must be between 1e-06 and 10, got nan"),
        ({"final_learning_rate": -0.1}, "final_learning_rate must be between 0 and 10, got -0.1"),
        ({"regularization": -1}, "regularization must be between 0 and 100, got -1"),
        ({"regularization": (0.1, -1, 0, 0, 0)}, "regularization must be between 0 and 100, got -1"),
        ({"regularization": (0.1, 0.2)}, "regularization must be one number or one per width; got 2 for 5 widths"),
        ({"starting_scale": 0}, "starting_scale must be between 1e-06 and 10, got 0"),
        ({"evaluate_every": 0}, "evaluate_every must be between 1 and 100000, got 0"),
        ({"patience": 0}, "patience must be between 1 and 100000, got 0"),
        ({"metric": "accuracy@20"}, "metric must be one of .* such as ndcg@20; got 'accuracy@20'"),
        ({"metric": "ndcg"}, "metric must be one of .*; got 'ndcg'"),
        ({"metric": "ndcg@0"}, "metric must be one of .*; got 'ndcg@0'"),
        ({"metric": "ndcg@-1"}, "metric must be one of .*; got 'ndcg@-1'"),
    ],
)
def test_a_wrong_trainer_says_why(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Trainer(**options)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"seed": -1}, r"seed must be between 0 and 2\^63 - 1, got -1"),
        ({"seed": 2**63}, "seed must be between 0 and .*, got 9223372036854775808"),
        ({"seed": 1.5}, "seed must be an integer, got 1.5"),
        ({"resume": True}, "resume needs a checkpoint .*checkpoint="),
        ({"threads": 0}, "threads must be at least 1, got 0"),
    ],
)
def test_a_wrong_run_says_why(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(OptionError, match=sentence):
        Run(**options)


@pytest.mark.parametrize("n_candidates", [0, -3, 1025])
def test_a_wrong_number_of_candidates_says_why(n_candidates: int) -> None:
    sentence = f"n_candidates must be between 1 and 1024, got {n_candidates} "
    with pytest.raises(OptionError, match=sentence):
        DynamicSampler(n_candidates)


def test_limits_themselves_are_allowed() -> None:
    """The largest seed trains, too."""
    Trainer(widths=(1, 1024), epochs=100_000, learning_rate=10, final_learning_rate=0, sampler=DynamicSampler(1024))
    Run(seed=0, threads=1, checkpoint=Path("anywhere"), resume=True)
    trained = Trainer(widths=(2,), epochs=1).fit(tiny(), run=Run(seed=2**63 - 1))
    assert trained.manifest["training"]["options"]["seed"] == 2**63 - 1


def test_level_weights_become_shares() -> None:
    """Equal by default; otherwise as given, summing to 1."""
    ladder = Widths((4, 8))
    assert normalize_level_weights(None, ladder) == pytest.approx(
        (0.44249, 0.55751), abs=1e-5
    )  # 1 and the cube root of 2
    assert normalize_level_weights(None, Widths((16,))) == (1.0,)
    assert normalize_level_weights((3, 1), ladder) == (0.75, 0.25)
    assert normalize_level_weights((0, 2), ladder) == (0.0, 1.0)


def test_what_the_data_decide_can_be_said() -> None:
    """A value that is given is the value that is used."""
    decided = Trainer().resolve(tiny()).objective
    said = Trainer(sampler=DynamicSampler(5), regularization=0.0, starting_scale=0.5).resolve(tiny()).objective
    assert (said.n_candidates, said.regularization, said.starting_scale) == (5, (0.0,) * 5, 0.5)
    assert decided.n_candidates >= 1
    assert min(decided.regularization) > 0
    assert UniformSampler().n_candidates == 1

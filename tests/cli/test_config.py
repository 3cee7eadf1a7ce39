"""`--config`: options from a TOML file; the command line wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import SMALL, Run
from tests.cli.test_train import manifest


def config(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "c.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_its_values_are_taken(run: Run, interactions: Path, tmp_path: Path) -> None:
    path = config(tmp_path, 'widths = [2, 6]\nepochs = 2\nlearning_rate = 0.1\nno-refit = true\nsampler = "uniform"\n')
    assert run("train", interactions, "--out", tmp_path / "m", "--config", path).code == 0
    training = manifest(tmp_path / "m")["training"]
    assert (training["options"]["widths"], training["options"]["epochs"]) == ([2, 6], 2)
    assert (training["options"]["learning_rate"], training["options"]["sampler"]) == (
        0.1,
        "UniformSampler(n_candidates=1, shared=False)",
    )
    assert training["trained_on"] == "all but the validation part"


def test_the_command_line_wins(run: Run, interactions: Path, tmp_path: Path) -> None:
    path = config(tmp_path, "epochs = 2\nwidths = [2, 6]\nseed = 4")
    run("train", interactions, "--config", path, "--out", tmp_path / "m", *SMALL)
    options = manifest(tmp_path / "m")["training"]["options"]
    assert (options["epochs"], options["widths"], options["seed"]) == (3, [2, 4, 8], 4)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("epoch = 3", "unknown option 'epoch'; did you mean 'epochs'?"),
        ("[train]\nepochs = 3", "unknown option 'train'"),
        ('resume = "yes"', "resume must be true or false, got 'yes'"),
        ("epochs = true", "epochs must be a number, a text or a list of these, got True"),
        ("widths = 4,8", "must be TOML"),
        ("config = 'other.toml'", "unknown option 'config'"),
    ],
)
def test_mistakes_in_it_are_reported(run: Run, interactions: Path, tmp_path: Path, text: str, sentence: str) -> None:
    result = run("train", interactions, "--out", tmp_path / "m", "--config", config(tmp_path, text))
    assert result.code == (1 if "TOML" in sentence else 2)
    assert sentence in result.err


def test_a_value_of_the_wrong_kind_is_reported(run: Run, interactions: Path, tmp_path: Path) -> None:
    result = run("train", interactions, "--out", tmp_path / "m", "--config", config(tmp_path, 'epochs = "many"'))
    assert result.code == 2
    assert "c.toml: epochs must be an integer, got 'many'" in result.err

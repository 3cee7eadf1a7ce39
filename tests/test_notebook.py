"""A notebook is executed by Jupyter's own machinery: results show as tables, training shows one bar."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

CELLS = (
    "from nestrec import RandomSplit, SyntheticData, Trainer, compare, evaluate",
    "world = SyntheticData(n_users=120, n_items=100, interactions_per_user=12).generate(seed=0)",
    "train, test = RandomSplit(0.2).split(world.interactions)",
    "model = Trainer(widths=(2, 4, 8), epochs=4).fit(train, progress=True)",
    "model",
    "model.recommend(model.users.ids[:2], k=3)",
    "evaluate(model, test, cutoffs=[10, 20], bootstrap_samples=100)",
    "compare(train, test, models=['popularity'], widths=[2, 4], seeds=[0], trials=0, threads=1)",
    "model.item_vectors(width=8)",
    "print(model)",
)


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[list[Any]]:
    """Return the outputs of each cell; the notebook itself is left in the temporary folder."""
    folder = tmp_path_factory.mktemp("notebook")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    client = nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(folder)}})  # fmt: skip # noqa: E501
    client.execute()
    nbformat.write(notebook, Path(folder) / "executed.ipynb")
    return [cell.outputs for cell in notebook.cells]


@pytest.mark.filterwarnings("ignore")  # those of Jupyter
def test_training_shows_one_bar_that_is_full_at_the_end(outputs: list[list[Any]]) -> None:
    (bar,) = outputs[3]
    html = bar["data"]["text/html"]
    assert "<progress" in html
    assert "100%" in html


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (4, ["bytes per vector", "ndcg@20 (validation)", "training interactions"]),
        (5, ["query", "rank", "score"]),
        (6, ["recall@20", "coverage@20", "±"]),
        (7, ["popularity", "width 4"]),
        (8, ["vector", "more rows"]),
    ],
)
def test_results_show_as_tables_with_text_beside_them(outputs: list[list[Any]], cell: int, words: list[str]) -> None:
    (shown,) = [output for output in outputs[cell] if output.output_type == "execute_result"]
    html, text = shown["data"]["text/html"], shown["data"]["text/plain"]
    assert [word for word in words if word not in html] == []
    assert text.startswith("<")
    assert len(text.splitlines()) == 1


@pytest.mark.filterwarnings("ignore")
def test_nothing_else_is_printed(outputs: list[list[Any]]) -> None:
    streams = [output for cell in outputs[:-1] for output in cell if output.output_type == "stream"]
    assert streams == []
    assert outputs[-1][0]["text"].startswith("<NestedEmbeddings: ")

"""Natural wrong calls: each works as it was meant, or raises the library's own error with value, rule and remedy."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import nestrec
from nestrec import BPR, Interactions, NestedEmbeddings, RandomSplit, Run, Trainer, Vocabulary, Widths, evaluate
from nestrec.errors import DataError, NestrecError, OptionError, UnknownIdError, UnknownOptionError
from nestrec.training.samplers import DynamicSampler, PoolSampler


class Given:
    """What the calls are made with."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        users, items = rng.integers(0, 40, 600), rng.integers(0, 30, 600)
        self.df = pd.DataFrame({"user_id": users, "item_id": items, "timestamp": np.arange(600.0)})
        self.df = self.df.drop_duplicates(["user_id", "item_id"])
        self.test = pd.DataFrame({"user_id": np.repeat(np.arange(40), 2), "item_id": np.arange(80) % 30})
        self.csv, self.path = folder / "train.csv", folder / "model"
        self.held_out = folder / "held_out.csv"
        self.df.to_csv(self.csv, index=False)
        self.test.to_csv(self.held_out, index=False)
        self.interactions = nestrec.read_interactions(self.df)
        self.model = NestedEmbeddings.from_arrays(
            rng.normal(size=(40, 8)), rng.normal(size=(30, 8)), (4, 8), users=range(40), items=range(30)
        )
        self.model.save(self.path)

    def fit(self, *source: Any, trainer: Trainer | None = None, **how: Any) -> NestedEmbeddings:
        """Train a little."""
        trainer = trainer or Trainer(widths=(2, 4), epochs=1)
        return trainer.fit(*(source or (self.df,)), **how)


@pytest.fixture(scope="module")
def given(tmp_path_factory: pytest.TempPathFactory) -> Given:
    return Given(tmp_path_factory.mktemp("mistakes"))


Call = Callable[[Given], Any]
WORK: dict[str, Call] = {
    "fit(DataFrame)": lambda g: g.fit(g.df),
    "fit(dict)": lambda g: g.fit({"user": g.df.user_id.tolist(), "item": g.df.item_id.tolist()}),
    "fit(path)": lambda g: g.fit(g.csv),
    "fit(path as text)": lambda g: g.fit(str(g.csv)),
    "fit(sparse)": lambda g: g.fit(g.interactions.to_scipy()),
    "fit twice": lambda g: [g.fit(trainer=trainer) for trainer in [Trainer(widths=(2,), epochs=1)] for _ in range(2)],
    "validation=0.1": lambda g: g.fit(validation=0.1),
    "validation='random'": lambda g: g.fit(validation="random"),
    "validation='time'": lambda g: g.fit(validation="time"),
    "validation='leave_last_out'": lambda g: g.fit(validation="leave_last_out"),
    "fit(read_interactions(...))": lambda g: g.fit(nestrec.read_interactions(g.df)),
    "validation=DataFrame": lambda g: g.fit(validation=g.test),
    "validation=path": lambda g: g.fit(validation=str(g.held_out)),
    "evaluate(model, DataFrame)": lambda g: evaluate(g.model, g.test),
    "evaluate(path, DataFrame)": lambda g: evaluate(str(g.path), g.test),
    "evaluate(path, path)": lambda g: evaluate(g.path, g.csv),
    "cutoffs=10": lambda g: evaluate(g.model, g.test, cutoffs=10),
    "cutoffs=numpy": lambda g: evaluate(g.model, g.test, cutoffs=np.array([5, 10])),
    "evaluate(widths=8)": lambda g: evaluate(g.model, g.test, widths=8),
    "widths=64": lambda g: Trainer(widths=64),
    "widths=numpy": lambda g: Trainer(widths=np.array([4, 8])),
    "widths=generator": lambda g: Trainer(widths=(2**n for n in range(2, 5))),
    "loss=BPR class": lambda g: Trainer(loss=BPR),  # type: ignore[arg-type]
    "recommend(numpy scalar)": lambda g: g.model.recommend(np.int64(5)),
    "recommend(Series)": lambda g: g.model.recommend(g.df.user_id[:4]),
    "recommend(set)": lambda g: g.model.recommend({1, 2}),
    "recommend(generator)": lambda g: g.model.recommend(n for n in range(3)),
    "recommend(dict keys)": lambda g: g.model.recommend({1: 2, 3: 4}.keys()),
    "recommend(5.0)": lambda g: g.model.recommend(5.0),
    "recommend([])": lambda g: g.model.recommend([]),
    "k=numpy": lambda g: g.model.recommend(1, k=np.int32(3)),  # type: ignore[arg-type]
    "k beyond a small catalogue": lambda g: g.model.recommend([1, 2], k=100),
    "Run(checkpoint=text)": lambda g: Run(checkpoint="here"),  # type: ignore[arg-type]
    "from_arrays(lists)": lambda g: NestedEmbeddings.from_arrays([[1, 2]], [[3, 4]], 2),
    "from_arrays(objects that are numbers)": lambda g: NestedEmbeddings.from_arrays(
        np.array([[1, 2.5]], dtype=object), [[3, 4]], [2]
    ),
    "load(text)": lambda g: NestedEmbeddings.load(str(g.path)),
}
WRONG: dict[str, tuple[Call, type[Exception]]] = {
    "fit(None)": (lambda g: g.fit(None), DataError),
    "fit(5)": (lambda g: g.fit(5), DataError),
    "fit(list of tuples)": (lambda g: g.fit([(1, 2), (3, 4)]), DataError),
    "fit(empty DataFrame)": (lambda g: g.fit(g.df[:0]), DataError),
    "fit(DataFrame of other columns)": (lambda g: g.fit(pd.DataFrame({"a": [1], "b": [2]})), NestrecError),
    "fit(split)": (lambda g: g.fit(RandomSplit(0.1).split(g.interactions)), DataError),
    "fit(world)": (lambda g: g.fit(nestrec.SyntheticData(n_users=100, n_items=120).generate(seed=0)), DataError),
    "fit(missing path)": (lambda g: g.fit("nowhere.csv"), DataError),
    "fit('')": (lambda g: g.fit(""), DataError),
    "fit(run=dict)": (lambda g: g.fit(run={"seed": 1}), OptionError),
    "fit(valdation=)": (lambda g: g.fit(valdation=0.1), UnknownOptionError),
    "validation=True": (lambda g: g.fit(validation=True), OptionError),
    "validation=1.5": (lambda g: g.fit(validation=1.5), OptionError),
    "validation=10": (lambda g: g.fit(validation=10), OptionError),
    "validation='tiem'": (lambda g: g.fit(validation="tiem"), OptionError),
    "validation=RandomSplit": (lambda g: g.fit(validation=RandomSplit), OptionError),
    "validation=[1]": (lambda g: g.fit(validation=[1]), DataError),
    "RandomSplit('0.1')": (lambda g: RandomSplit("0.1"), OptionError),  # type: ignore[arg-type]
    "RandomSplit(0.1, seed=1.5)": (lambda g: RandomSplit(0.1, seed=1.5), OptionError),  # type: ignore[arg-type]
    "LeaveLastOut('1')": (lambda g: nestrec.LeaveLastOut("1"), OptionError),  # type: ignore[arg-type]
    "TimeSplit(at='x')": (lambda g: nestrec.TimeSplit(at="2020-01-01"), OptionError),  # type: ignore[arg-type]
    "loss='bqr'": (lambda g: Trainer(loss="bqr"), OptionError),
    "loss=5": (lambda g: Trainer(loss=5), OptionError),  # type: ignore[arg-type]
    "loss=sampler": (lambda g: Trainer(loss=DynamicSampler()), OptionError),  # type: ignore[arg-type]
    "sampler='hard'": (lambda g: Trainer(sampler="hard"), OptionError),
    "sampler=loss": (lambda g: Trainer(sampler=BPR()), OptionError),  # type: ignore[arg-type]
    "loss and sampler that do not fit": (lambda g: Trainer(loss="bpr", sampler="pool"), OptionError),
    "backbone=None": (lambda g: Trainer(backbone="gcn"), OptionError),
    "engine='gpu'": (lambda g: Trainer(engine="gpu"), OptionError),
    "engine=True": (lambda g: Trainer(engine=True), OptionError),  # type: ignore[arg-type]
    "cpu engine for lightgcn": (lambda g: Trainer(engine="cpu", backbone="lightgcn"), OptionError),
    "optimizer='sgd'": (lambda g: nestrec.TorchEngine(optimizer="sgd"), OptionError),
    "epochs=0": (lambda g: Trainer(epochs=0), OptionError),
    "epochs='3'": (lambda g: Trainer(epochs="3"), OptionError),  # type: ignore[arg-type]
    "epochs=True": (lambda g: Trainer(epochs=True), OptionError),
    "epoch=3": (lambda g: Trainer(epoch=3), UnknownOptionError),  # type: ignore[call-arg]
    "n_epochs=3": (lambda g: Trainer(n_epochs=3), UnknownOptionError),  # type: ignore[call-arg]
    "learning_rate='0.1'": (lambda g: Trainer(learning_rate="0.1"), OptionError),  # type: ignore[arg-type]
    "regularization=None text": (lambda g: Trainer(regularization="auto"), OptionError),  # type: ignore[arg-type]
    "metric=20": (lambda g: Trainer(metric=20), OptionError),  # type: ignore[arg-type]
    "metric='ndcg@1000000000'": (lambda g: Trainer(metric="ndcg@1000000000"), OptionError),
    "widths='8,16'": (lambda g: Trainer(widths="8,16"), OptionError),  # type: ignore[arg-type]
    "widths='8'": (lambda g: Trainer(widths="8"), OptionError),  # type: ignore[arg-type]
    "widths=(8, 4)": (lambda g: Trainer(widths=(8, 4)), OptionError),
    "widths=(True, 8)": (lambda g: Trainer(widths=(True, 8)), OptionError),
    "widths=None": (lambda g: Trainer(widths=None), OptionError),  # type: ignore[arg-type]
    "level_weights='1,2'": (lambda g: Trainer(widths=(4, 8), level_weights="1,2"), OptionError),  # type: ignore[arg-type]
    "level_weights=1": (lambda g: Trainer(widths=(4,), level_weights=1), OptionError),  # type: ignore[arg-type]
    "level_weights=['a']": (lambda g: Trainer(widths=(4,), level_weights=["a"]), OptionError),  # type: ignore[list-item]
    "n_candidates='64'": (lambda g: PoolSampler("64"), OptionError),  # type: ignore[arg-type]
    "n_candidates=64.0": (lambda g: PoolSampler(64.0), OptionError),  # type: ignore[arg-type]
    "seed=-1": (lambda g: Run(seed=-1), OptionError),
    "seed=None": (lambda g: Run(seed=None), OptionError),  # type: ignore[arg-type]
    "threads=1.5": (lambda g: Run(threads=1.5), OptionError),  # type: ignore[arg-type]
    "threads=True": (lambda g: Run(threads=True), OptionError),
    "threads='4'": (lambda g: Run(threads="4"), OptionError),  # type: ignore[arg-type]
    "checkpoint=5": (lambda g: Run(checkpoint=5), OptionError),  # type: ignore[arg-type]
    "callbacks=print": (lambda g: Run(callbacks=print), OptionError),  # type: ignore[arg-type]
    "thread=4": (lambda g: Run(thread=4), UnknownOptionError),  # type: ignore[call-arg]
    "evaluate(class)": (lambda g: evaluate(NestedEmbeddings, g.test), OptionError),  # type: ignore[arg-type]
    "evaluate(Trainer)": (lambda g: evaluate(Trainer(), g.test), OptionError),  # type: ignore[arg-type]
    "evaluate(missing path)": (lambda g: evaluate("nowhere", g.test), NestrecError),
    "evaluate(data, model)": (lambda g: evaluate(g.test, g.model), OptionError),
    "evaluate(model, None)": (lambda g: evaluate(g.model, None), DataError),
    "cutoffs='10'": (lambda g: evaluate(g.model, g.test, cutoffs="10"), OptionError),  # type: ignore[arg-type]
    "cutoffs=2.5": (lambda g: evaluate(g.model, g.test, cutoffs=2.5), OptionError),  # type: ignore[arg-type]
    "cutoffs=()": (lambda g: evaluate(g.model, g.test, cutoffs=()), OptionError),
    "cutoffs=10**9": (lambda g: evaluate(g.model, g.test, cutoffs=10**9), OptionError),
    "cutoff=10": (lambda g: evaluate(g.model, g.test, cutoff=10), UnknownOptionError),  # type: ignore[call-arg]
    "evaluate(threads=0)": (lambda g: evaluate(g.model, g.test, threads=0), OptionError),
    "evaluate(seed=-1)": (lambda g: evaluate(g.model, g.test, seed=-1), OptionError),
    "bootstrap_samples=1.5": (lambda g: evaluate(g.model, g.test, bootstrap_samples=1.5), OptionError),  # type: ignore[arg-type]
    "width='8'": (lambda g: g.model.recommend(1, width="8"), OptionError),  # type: ignore[arg-type]
    "width=8.0": (lambda g: g.model.at(8.0), OptionError),  # type: ignore[arg-type]
    "width=5": (lambda g: g.model.at(5), OptionError),
    "width=None": (lambda g: g.model.at(None), OptionError),  # type: ignore[arg-type]
    "k='10'": (lambda g: g.model.recommend(1, k="10"), OptionError),  # type: ignore[arg-type]
    "k=10.0": (lambda g: g.model.recommend(1, k=10.0), OptionError),  # type: ignore[arg-type]
    "k=True": (lambda g: g.model.recommend(1, k=True), OptionError),
    "k=None": (lambda g: g.model.recommend(1, k=None), OptionError),  # type: ignore[arg-type]
    "k=10**9 for all users": (lambda g: g.model.recommend(g.model.users.ids, k=10**9), OptionError),
    "k=10**9 neighbours": (lambda g: g.model.similar_items(g.model.items.ids, k=10**9), OptionError),
    "k=10**30": (lambda g: g.model.recommend(1, k=10**30), OptionError),
    "recommend(None)": (lambda g: g.model.recommend(None), OptionError),  # type: ignore[arg-type]
    "recommend([None])": (lambda g: g.model.recommend([None]), DataError),
    "recommend(5.5)": (lambda g: g.model.recommend(5.5), DataError),
    "recommend(NaN)": (lambda g: g.model.recommend([float("nan")]), DataError),
    "recommend(True)": (lambda g: g.model.recommend(True), DataError),
    "recommend(dict)": (lambda g: g.model.recommend({1: 2}), OptionError),
    "recommend(DataFrame)": (lambda g: g.model.recommend(g.df[["user_id"]]), OptionError),
    "recommend(unknown)": (lambda g: g.model.recommend("eve"), UnknownIdError),
    "recommend(ragged ids)": (lambda g: g.model.recommend([[1, 2], [3]]), NestrecError),
    "recommend(nested ids)": (lambda g: g.model.recommend([[1, 2]]), OptionError),
    "recommend(object())": (lambda g: g.model.recommend(object()), DataError),  # type: ignore[arg-type]
    "recommend(exclude=)": (lambda g: g.model.recommend(1, exclude=[2]), UnknownOptionError),  # type: ignore[call-arg]
    "score of unequal lists": (lambda g: g.model.score([1, 2], [1, 2, 3]), OptionError),
    "load(class path)": (lambda g: NestedEmbeddings.load(g.csv), NestrecError),
    "load(None)": (lambda g: NestedEmbeddings.load(None), OptionError),  # type: ignore[arg-type]
    "load(verify='yes')": (lambda g: NestedEmbeddings.load(g.path, verify="yes"), OptionError),  # type: ignore[arg-type]
    "ragged vectors": (lambda g: NestedEmbeddings.from_arrays([[1, 2], [3]], [[1, 2]], [2]), DataError),
    "complex vectors": (lambda g: NestedEmbeddings.from_arrays([[1j, 2]], [[1, 2]], [2]), DataError),
    "boolean vectors": (lambda g: NestedEmbeddings.from_arrays([[True, False]], [[1, 2]], [2]), DataError),
    "text vectors": (lambda g: NestedEmbeddings.from_arrays([["1", "2"]], [[1, 2]], [2]), DataError),
    "object vectors": (lambda g: NestedEmbeddings.from_arrays([[None, 2]], [[1, 2]], [2]), DataError),  # type: ignore[arg-type]
    "one-dimensional vectors": (lambda g: NestedEmbeddings.from_arrays([1.0, 2.0], [[1, 2]], [2]), DataError),
    "NaN vectors": (lambda g: NestedEmbeddings.from_arrays([[np.nan, 2]], [[1, 2]], [2]), DataError),
    "infinite in float32": (lambda g: NestedEmbeddings.from_arrays([[1e300, 2]], [[1, 2]], [2]), DataError),
    "no rows": (lambda g: NestedEmbeddings.from_arrays(np.zeros((0, 2)), [[1, 2]], [2]), DataError),
    "widths beyond the vectors": (lambda g: NestedEmbeddings.from_arrays([[1, 2]], [[1, 2]], [2, 4]), DataError),
    "repeated ids": (lambda g: NestedEmbeddings.from_arrays([[1.0]] * 2, [[1.0]], [1], users=["a", "a"]), DataError),
    "too few ids": (lambda g: NestedEmbeddings.from_arrays([[1.0]] * 2, [[1.0]], [1], users=["a"]), DataError),
    "lists for arrays": (lambda g: NestedEmbeddings([[1.0]], [[1.0]], Widths(1), *([None] * 3)), DataError),  # type: ignore[arg-type]
    "negative indices": (lambda g: rows([0, 2], [-1, 0]), DataError),
    "indices out of range": (lambda g: rows([0, 2], [0, 9]), DataError),
    "unsorted indices": (lambda g: rows([0, 2], [1, 0]), DataError),
    "repeated indices": (lambda g: rows([0, 2], [1, 1]), DataError),
    "float indices": (lambda g: rows([0, 2], [0.0, 1.0]), DataError),
    "lists for indices": (
        lambda g: Interactions(Vocabulary.from_ids(["a"]), Vocabulary.from_ids([1]), [0, 1], [0]),  # type: ignore[arg-type]
        DataError,
    ),
    "lists for vocabularies": (
        lambda g: Interactions(["a"], [1], np.array([0, 1]), np.array([0], np.int32)),  # type: ignore[arg-type]
        DataError,
    ),
    "Vocabulary(list)": (lambda g: Vocabulary(["a"]), DataError),  # type: ignore[arg-type]
    "compare(cutoffs=10**9)": (
        lambda g: nestrec.compare(g.interactions, g.interactions, trials=0, cutoffs=10**9),  # type: ignore[arg-type]
        OptionError,
    ),
}


SPARSE, SPARSE_BY_NAME = (nestrec.TorchEngine(optimizer=one) for one in (nestrec.Adam(sparse=True), "sparse_adam"))


def rows(indptr: list[int], indices: list[Any]) -> Interactions:
    dtype = np.int32 if all(isinstance(index, int) for index in indices) else np.float64
    users, items = Vocabulary.from_ids(["ann"]), Vocabulary.from_ids([10, 20, 30])
    return Interactions(users, items, np.array(indptr), np.array(indices, dtype=dtype))


@pytest.mark.parametrize("name", WORK)
def test_it_works(given: Given, name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", nestrec.errors.DataWarning)
        assert WORK[name](given) is not None


@pytest.mark.parametrize("name", WRONG)
def test_it_is_reported(given: Given, name: str) -> None:
    call, kind = WRONG[name]
    with pytest.raises(kind) as told:
        call(given)
    assert isinstance(told.value, NestrecError)
    assert len(str(told.value)) > 25  # a sentence
    assert "\n" not in str(told.value)


def test_there_are_many() -> None:
    assert len(WORK) + len(WRONG) >= 80


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"loss": "bpr"}, {"loss": BPR()}),
        ({"loss": "BPR", "sampler": "uniform"}, {"loss": BPR(), "sampler": nestrec.UniformSampler()}),
        ({"sampler": "dynamic"}, {"sampler": DynamicSampler()}),
        ({"backbone": "lightgcn"}, {"backbone": nestrec.LightGCN()}),
        ({"engine": "torch"}, {"engine": nestrec.TorchEngine()}),
        ({"engine": "cpu"}, {}),
        ({"engine": SPARSE_BY_NAME}, {"engine": SPARSE}),
        ({"loss": nestrec.DirectAU}, {"loss": nestrec.DirectAU()}),
    ],
)  # fmt: skip
def test_names_mean_what_they_mean_on_the_command_line(options: dict[str, Any], same: dict[str, Any]) -> None:
    assert Trainer(**options) == Trainer(**same)


@pytest.mark.parametrize(
    ("call", "meant"),
    [
        (lambda: Trainer(epoch=3), "did you mean 'epochs'?"),  # type: ignore[call-arg]
        (lambda: Trainer(loss="softmx"), "did you mean 'softmax'?"),
        (lambda: Run(sead=1), "did you mean 'seed'?"),  # type: ignore[call-arg]
    ],
)
def test_a_near_name_is_suggested(call: Callable[[], Any], meant: str) -> None:
    with pytest.raises(OptionError) as told:
        call()
    assert meant in str(told.value)


def test_rows_left_out_of_a_table_are_reported() -> None:
    table = pd.DataFrame({"user": ["a", "b", None, "c"], "item": ["x", "y", "x", "x"]})
    with pytest.warns(nestrec.errors.DataWarning, match="1 row left out.*user id is missing"):
        Trainer(widths=(2,), epochs=1).fit(table, validation=None)


@pytest.mark.parametrize("engine", ["gpu", 3])
def test_the_error_for_a_wrong_engine_lists_all_engines(engine: Any) -> None:
    """The sentence left out cpu."""
    with pytest.raises(OptionError, match=r"engine must be one of cpu, torch\b"):
        Trainer(engine=engine)

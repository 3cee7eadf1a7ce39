"""The generated examples run against a server: those of curl, and those of JavaScript where there is Node."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nestrec import NestedEmbeddings
from tests.serving.process import ServerProcess, running

KEY = "a-key-of-the-shop-1"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """Return a server whose model has users and items from 0 to 29, and the widths of the examples."""
    place = tmp_path_factory.mktemp("samples")
    users, items = np.random.default_rng(0).standard_normal((2, 30, 16)).astype(np.float32)
    NestedEmbeddings.from_arrays(users, items, widths=[4, 16]).save(place / "model")
    (place / "keys").write_text(f"both {KEY}\n")
    with running(place / "model", "--api-keys", place / "keys", "--admin-keys", place / "keys") as process:
        yield process


def samples_of(server: ServerProcess, language: str) -> list[str]:
    description: Any = server.get("/openapi.json")[1]
    found = [
        sample["source"]
        for path in description["paths"].values()
        for operation in path.values()
        for sample in operation["x-codeSamples"]
        if sample["label"] == language
    ]
    return [source.replace("127.0.0.1:8000", f"127.0.0.1:{server.port}").replace("KEY", KEY) for source in found]


def run(command: list[str], tmp_path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=tmp_path)


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_examples_of_curl_run(server: ServerProcess, tmp_path: Path) -> None:
    samples = samples_of(server, "curl")
    assert len(samples) == 10
    for source in samples:
        done = run(["sh", "-c", source.replace("curl", "curl -sSf", 1)], tmp_path)
        assert (done.returncode, done.stdout[:1]) == (0, "{"), (source, done.stderr)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node 18 or later")
def test_examples_of_javascript_run(server: ServerProcess, tmp_path: Path) -> None:
    everything = "\n".join(f"{{\n{source}\n}}" for source in samples_of(server, "JavaScript"))
    (tmp_path / "samples.mjs").write_text(everything)
    done = run(["node", "samples.mjs"], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "scores" in done.stdout

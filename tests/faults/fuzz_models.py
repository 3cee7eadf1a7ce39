"""Mutation fuzzing of the model loader: bytes, JSON values, headers and tensors, with checksums that fit or do not.

python -m tests.faults.fuzz_models [N] [SEED]
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

from nestrec.embeddings import NestedEmbeddings
from tests.artefact.foreign_writer import describe_files, rewrite_manifest
from tests.faults.planned_models import attempt, describe_state, saved_model

Contents = dict[str, bytes]

EXAMPLES: list[str] = []  # of the last run: what was silent, foreign or hung
_ODD: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 2, 3, 7, 2**31, 2**63, -(2**63), 10**40, 0.5, -0.0, 1e308, "", "4", "int8", "\0",
    "x" * 5000, [], [[]], {}, {"width": 4}, [4, 2], [2, 4], [0], "../manifest.json", "float32", "bf16", "F32", "I64",
)  # fmt: skip


def run(n: int, seed: int = 0) -> dict[str, int]:
    """Return how many of n mutated models ended how: refused, harmless, changed, silent, foreign or hang.

    `changed`: the model answers, and not as the original, which is right where the mutation wrote checksums that fit or
    the load did not verify contents; otherwise it is `silent`.
    """
    EXAMPLES.clear()
    rng = random.Random(seed)
    counts = Counter(dict.fromkeys(("refused", "harmless", "changed", "silent", "foreign", "hang"), 0))
    with saved_model() as model:
        state = describe_state(NestedEmbeddings.load(model))
        contents = {path.name: path.read_bytes() for path in model.iterdir()}
        for number in range(n):
            mutate, sealed = rng.choice(_MUTATIONS)
            verify = rng.choice((None, True, False))
            mutate(model, contents, rng)
            outcome, example = attempt(model, verify, state)
            if outcome == "changed" and not sealed and verify is not False:
                outcome = "silent"
            counts[outcome] += 1
            if outcome in ("silent", "foreign", "hang"):
                EXAMPLES.append(f"{outcome} mutation {number} ({mutate.__name__}, verify={verify}): {example}")
            _restore(model, contents)
    return dict(counts)


def _mutate_bytes(model: Path, contents: Contents, rng: random.Random) -> None:
    name = rng.choice(sorted(contents))
    content = bytearray(contents[name])
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        first = rng.randrange(len(content) + 1)
        last = min(len(content), first + rng.choice((1, 1, 4, 8, 64, 999)))
        other = contents[rng.choice(sorted(contents))]
        piece = other[(start := rng.randrange(len(other))) : start + rng.choice((1, 8, 64))]
        content[first:last] = rng.choice((b"", rng.randbytes(last - first), bytes(last - first), piece, piece * 2))
    (model / name).write_bytes(content)


def _mutate_manifest_text(model: Path, contents: Contents, rng: random.Random) -> None:
    text = contents["manifest.json"].decode()
    for _ in range(rng.choice((1, 2, 4))):
        place = rng.randrange(len(text))
        text = text[:place] + rng.choice(['"', "{", "}", "[", "]", ",", ":", "0", "-", "e9", "\\u0000", "NaN", "é"]) + (
            text[place + rng.choice((0, 1)) :]
        )  # fmt: skip
    (model / "manifest.json").write_text(text, encoding="utf-8")


def _mutate_manifest_values(model: Path, contents: Contents, rng: random.Random) -> None:
    """Change values at any depth and let the manifest's checksum fit."""
    manifest = json.loads(contents["manifest.json"])
    for _ in range(rng.choice((1, 1, 2, 3))):
        _change_value(manifest, rng)
    try:
        rewrite_manifest(model, **{name: value for name, value in manifest.items() if name != "sha256"})
    except ValueError:
        (model / "manifest.json").write_text(json.dumps(manifest))


def _mutate_header(model: Path, contents: Contents, rng: random.Random) -> None:
    """Change values of a safetensors header and let all checksums fit."""
    name = rng.choice(sorted(set(contents) - {"manifest.json"}))
    content = contents[name]
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.loads(content[8:end])
    for _ in range(rng.choice((1, 1, 2))):
        _change_value(header, rng)
    text = json.dumps(header).encode()
    text = text.ljust(-(-len(text) // 8) * 8)
    length = rng.choice((len(text), len(text), len(text), 0, 2**40, 2**64 - 1, rng.randrange(2 * len(text))))
    (model / name).write_bytes(length.to_bytes(8, "little") + text + content[end:])
    describe_files(model)


def _mutate_tensors(model: Path, contents: Contents, rng: random.Random) -> None:
    """Change numbers of a file's tensors and let all checksums fit."""
    name = rng.choice(sorted(set(contents) - {"manifest.json"}))
    content = bytearray(contents[name])
    begin = 8 + int.from_bytes(content[:8], "little")
    for _ in range(rng.choice((1, 1, 2, 9))):
        place = rng.randrange(begin, len(content))
        size = min(rng.choice((1, 4, 8)), len(content) - place)
        content[place : place + size] = rng.choice((b"\xff" * 8, b"\0" * 8, b"\0\0\x80\x7f" * 2, rng.randbytes(8)))[
            :size
        ]
    (model / name).write_bytes(content)
    describe_files(model)


def _mutate_files(model: Path, contents: Contents, rng: random.Random) -> None:
    """Take away, exchange or empty files."""
    one, other = rng.sample(sorted(contents), 2)
    choice = rng.randrange(4)
    if choice == 0:
        (model / one).unlink()
    elif choice == 1:
        (model / one).write_bytes(contents[other])
    elif choice == 2:
        (model / one).write_bytes(b"")
    else:
        (model / one).unlink()
        (model / one).symlink_to(other)
    if rng.random() < 0.5 and (model / "manifest.json").is_file() and one != "manifest.json":
        describe_files(model)


def _change_value(document: Any, rng: random.Random) -> None:
    """Replace, remove or double something at a random place of nested dictionaries and lists."""
    places: list[tuple[Any, Any]] = []
    waiting = [document]
    while waiting:
        inner = waiting.pop()
        keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
        places += [(inner, key) for key in keys]
        waiting += [inner[key] for key in keys if isinstance(inner[key], (dict, list))]
    if not places:
        return
    inner, key = rng.choice(places)
    choice = rng.random()
    if choice < 0.1:
        del inner[key]
    elif choice < 0.2 and isinstance(inner, dict):
        inner[f"{key}2"] = inner.pop(key)
    elif choice < 0.4 and type(inner[key]) is int:
        inner[key] += rng.choice((-1, 1, 64, 2**32))
    else:
        inner[key] = deepcopy(rng.choice(_ODD))


def _restore(model: Path, contents: Contents) -> None:
    shutil.rmtree(model)
    model.mkdir()
    for name, content in contents.items():
        (model / name).write_bytes(content)


Mutate = Callable[[Path, Contents, random.Random], None]
_MUTATIONS: tuple[tuple[Mutate, bool], ...] = (  # with whether checksums fit afterwards
    (_mutate_bytes, False),
    (_mutate_manifest_text, False),
    (_mutate_manifest_values, True),
    (_mutate_header, True),
    (_mutate_tensors, True),
    (_mutate_files, True),
)


if __name__ == "__main__":
    words = [int(word) for word in sys.argv[1:]]
    found = run(*words) if words else run(10_000)
    sys.stdout.write("".join(f"{name}: {count:,}\n" for name, count in found.items()))
    sys.stdout.write("".join(f"{example}\n" for example in EXAMPLES[:20]))

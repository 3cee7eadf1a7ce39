"""Every single-bit flip and every truncation of every file of a small planned model, loaded in one process.

python -m tests.faults.flips [LIMIT]
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nestrec.embeddings import NestedEmbeddings
from tests.faults.planned_models import attempt, describe_state, saved_model

EXAMPLES: list[str] = []  # of the last run: what was silent, foreign or hung


def run(limit: int | None = None) -> dict[str, int]:
    """Return how many damages ended how; `limit`: only so many, spread evenly.

    Loaded by default: `refused` with ModelFileError, `harmless` (all that is served is equal bit for bit), `silent`
    (it is not), `foreign` (another exception), `hang`. The same with `unverified_` before it for verify=False, where
    changed contents are not looked for: `unverified_changed`.
    """
    EXAMPLES.clear()
    counts: Counter[str] = Counter()
    with saved_model() as model:
        state = describe_state(NestedEmbeddings.load(model))
        contents = {path: path.read_bytes() for path in sorted(model.iterdir())}
        n = sum(9 * len(content) for content in contents.values())
        step = 1 if limit is None else max(1, n // limit)
        for number, (path, damaged) in enumerate(_damages(contents)):
            if number % step:
                continue
            path.write_bytes(damaged())
            for prefix, verify in (("", None), ("unverified_", False)):
                outcome, example = attempt(model, verify, state)
                outcome = "silent" if (prefix, outcome) == ("", "changed") else outcome
                counts[prefix + outcome] += 1
                if outcome in ("silent", "foreign", "hang"):
                    EXAMPLES.append(f"{prefix}{outcome} {path.name} damage {number}: {example}")
            path.write_bytes(contents[path])
    wanted = ("refused", "harmless", "silent", "foreign", "hang")
    names = [*wanted, *(f"unverified_{name}" for name in ("refused", "harmless", "changed", "foreign", "hang"))]
    return {name: counts[name] for name in names}


class _Damage:
    """One flip or truncation; made when it is asked for."""

    def __init__(self, content: bytes, bit: int | None, length: int | None) -> None:
        self._content, self._bit, self._length = content, bit, length

    def __call__(self) -> bytes:
        if self._bit is None:
            return self._content[: self._length]
        damaged = bytearray(self._content)
        damaged[self._bit // 8] ^= 1 << self._bit % 8
        return bytes(damaged)


def _damages(contents: dict[Path, bytes]) -> Iterator[tuple[Path, _Damage]]:
    for path, content in contents.items():
        for bit in range(8 * len(content)):
            yield path, _Damage(content, bit, None)
        for length in range(len(content)):
            yield path, _Damage(content, None, length)


if __name__ == "__main__":
    found = run(int(sys.argv[1]) if len(sys.argv) > 1 else None)
    sys.stdout.write("".join(f"{name}: {count:,}\n" for name, count in found.items()))
    sys.stdout.write("".join(f"{example}\n" for example in EXAMPLES[:20]))

"""Available memory, as the system reports it."""

from __future__ import annotations

from pathlib import Path

from nestrec.baselines.memory import available_memory


def machine(root: Path, **files: str) -> Path:
    for name, text in files.items():
        path = root / ("proc" if name == "meminfo" else "sys/fs/cgroup") / name.replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="ascii")
    return root


def test_the_lesser_of_machine_and_container(tmp_path: Path) -> None:
    root = machine(tmp_path, meminfo="MemTotal: 9000 kB\nMemAvailable:  4000 kB\n")
    assert available_memory(root) == 4000 * 1024
    machine(root, memory_max="max\n", memory_current="5000\n")
    assert available_memory(root) == 4000 * 1024
    machine(root, memory_max="1000000\n", memory_stat="anon 3\ninactive_file 2000\ninactive_file_x 7\n")
    assert available_memory(root) == 1_000_000 - 5000 + 2000


def test_a_system_that_does_not_say(tmp_path: Path) -> None:
    assert available_memory(tmp_path) is None


def test_this_machine_has_some() -> None:
    assert (available_memory() or 1) > 0

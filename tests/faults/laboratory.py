"""One fork server, and the folders in which scenarios are set up, disturbed and looked at."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.faults.injector import Conditions, Control, Fault, Mode, Operation, fast_folder
from tests.faults.scenarios import Command, Scenario

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 60.0  # a command takes less than one
_ATTEMPTS = 60  # `plan` writes another file, or none, where its measured times differ: one run in seven


@dataclass(frozen=True)
class Outcome:
    """How a command ended."""

    code: int | None  # None: it took too long
    output: str
    operations: list[Operation]
    hits: int


@dataclass(frozen=True)
class Reference:
    """A scenario undisturbed."""

    template: Path  # the folder before the command
    outcome: Outcome
    old: dict[str, str]  # target -> fingerprint before
    new: dict[str, str]  # and after
    before: dict[str, str]  # path -> digest of every file
    after: dict[str, str]


class Laboratory:
    """Runs commands in a forked child of a warm process, disturbed or not."""

    def __init__(self) -> None:
        self._base = Path(tempfile.mkdtemp(prefix="fault-lab-", dir=fast_folder()))
        self.control = Control()
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.search_path = {"PYTHONPATH": _search_path()}
        environment = {**os.environ, **threads, **self.control.environment, **self.search_path}
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.server"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env=environment, cwd=_ROOT,
        )  # fmt: skip
        self.threads = self._answer()["threads"]
        self._references: dict[str, Reference] = {}

    def run(
        self, argv: Command, folder: Path, fault: Fault | None = None, conditions: Conditions | None = None,
        seconds: float = _SECONDS,
    ) -> Outcome:  # fmt: skip
        """Run a command in a folder; operations in it and in its temporary folder are counted and hit."""
        temporary = folder.with_name(f"{folder.name}.tmp")
        temporary.mkdir(exist_ok=True)
        output = folder.with_name(f"{folder.name}.out")
        self.control.arm(fault or Fault(Mode.COUNT), folder, temporary, conditions or Conditions())
        request = {
            "argv": argv, "folder": str(folder), "temporary": str(temporary), "output": str(output), "seconds": seconds,
        }  # fmt: skip
        code = self._ask(request)["code"]
        self.control.disarm()
        said = output.read_text(encoding="utf-8", errors="replace") if output.exists() else ""
        return Outcome(code, said, self.control.log(), self.control.hits)

    def new_folder(self, template: Path | None = None) -> Path:
        """Return a fresh folder, a copy of the template."""
        place = self._base / uuid.uuid4().hex[:10] / "work"
        if template is None:
            place.mkdir(parents=True)
        else:
            shutil.copytree(template, place, symlinks=True)
        return place

    def drop(self, folder: Path) -> None:
        """Remove a folder and what lies beside it."""
        shutil.rmtree(folder.parent, ignore_errors=True)

    def reference(self, scenario: Scenario) -> Reference:
        """Set the scenario up and run it undisturbed, once."""
        if scenario.name not in self._references:
            template = self.new_folder()
            for argv in scenario.setup:
                done = self.run(argv, template)  # before the mount
                if done.code != 0:
                    raise RuntimeError(f"{scenario.name}: the setup {' '.join(argv)} fails: {done.output}")
            place = self.new_folder(template)
            old, before = fingerprints(scenario, place), digests(place)
            outcome = self.run(scenario.argv, place, conditions=scenario.conditions)
            if outcome.code != 0:
                raise RuntimeError(f"{scenario.name} fails undisturbed: {outcome.output}")
            new, after = fingerprints(scenario, place), digests(place)
            self.drop(place)
            self._references[scenario.name] = Reference(template, outcome, old, new, before, after)
        return self._references[scenario.name]

    def inject(self, scenario: Scenario, fault: Fault) -> tuple[Path, Outcome]:
        """Return a fresh folder and how the scenario ended in it with this fault.

        Runs repeat until operation n, and all before it, are those of the reference, so that every operation is hit.
        """
        reference = self.reference(scenario)
        expected = _operation_names(reference.outcome, fault.at)
        for _ in range(_ATTEMPTS):
            folder = self.new_folder(reference.template)
            outcome = self.run(scenario.argv, folder, fault, scenario.conditions)
            if _operation_names(outcome, fault.at) == expected:
                return folder, outcome
            self.drop(folder)
        raise RuntimeError(f"{scenario.name}: no run has the operations of the reference up to {fault.at}")

    def close(self) -> None:
        """End the server and remove all folders."""
        if self._server.stdin is not None and self._server.stdout is not None:
            self._server.stdin.close()
            self._server.wait()
            self._server.stdout.close()
        self.control.close()
        shutil.rmtree(self._base, ignore_errors=True)

    def __enter__(self) -> Laboratory:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._server.stdout is not None
        line = self._server.stdout.readline()
        if not line:
            raise RuntimeError(f"the fork server ended with {self._server.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def _operation_names(outcome: Outcome, last: int) -> list[tuple[str, str]]:
    """Return kind and path, without their random parts, of the operations up to number `last`."""
    done = [entry for entry in outcome.operations if 0 < entry.number <= last]
    return [(entry.kind, re.sub(r"fault-lab-[^/]*|[0-9a-f]{8,}|\.tmp\w{6}\b|#\d+", "…", entry.path)) for entry in done]


def fingerprints(scenario: Scenario, folder: Path) -> dict[str, str]:
    """Return what each target is; what cannot be read is `broken: …`."""
    found = {}
    for name, state in scenario.targets.items():
        try:
            found[name] = state(folder / name)
        except Exception as error:  # whatever a reader raises, the target is neither old nor new
            found[name] = f"broken: {type(error).__name__}: {error}"
    return found


def digests(folder: Path) -> dict[str, str]:
    """Return the digest of every file and the word `folder` for every folder, by relative path."""
    found = {}
    for path in sorted(folder.rglob("*")):
        is_file = path.is_file() and not path.is_symlink()
        found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest() if is_file else "folder"
    return found


def names(paths: Iterable[str]) -> set[str]:
    """Return paths without the parts of them that are drawn at random, as in `embeddings-0123456789ab.safetensors`.

    A coarse index is left out: whether there is one depends on measured times.
    """
    plain = (re.sub(r"[0-9a-f]{12}", "…", re.sub(r"-[0-9a-f]{12}\b", "", path)) for path in paths)
    return {path for path in plain if not path.endswith("coarse_index.safetensors")}


def _search_path() -> str:
    import nestrec

    source = str(Path(str(nestrec.__file__)).resolve().parents[1])
    return os.pathsep.join([source, str(_ROOT)])

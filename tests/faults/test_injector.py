"""The injector sees every operation, and the harness notices a command that writes carelessly."""

from __future__ import annotations

import errno
from dataclasses import replace

from tests.faults.enumeration import GROUPS, enumerate_faults
from tests.faults.injector import Fault, Mode
from tests.faults.laboratory import Laboratory
from tests.faults.scenarios import SCENARIOS, Scenario
from tests.faults.states import every_byte, model

_CARELESS = Scenario(
    "careless",
    (("call", "text", "notes.txt", "mine\n"), ("call", "text", "file.txt", "old\n")),
    ("call", "careless", "file.txt"),
    {"file.txt": every_byte},
)
_TIDY = next(scenario for scenario in SCENARIOS if scenario.name == "save a model")


def test_the_server_has_one_thread_when_it_forks(laboratory: Laboratory) -> None:
    assert laboratory.threads == 1


def test_operations_of_c_and_rust_extensions_are_seen(laboratory: Laboratory) -> None:
    operations = laboratory.reference(_TIDY).outcome.operations
    kinds = {operation.kind for operation in operations if "copy" in operation.path}
    assert {"mkdir", "create", "write", "close", "fsync", "rename"} <= kinds
    assert any(operation.kind == "write" and "/.tmp" in operation.path for operation in operations)  # safetensors


def test_a_kill_ends_the_command_at_the_operation(laboratory: Laboratory) -> None:
    folder = laboratory.new_folder(laboratory.reference(_TIDY).template)
    outcome = laboratory.run(_TIDY.argv, folder, Fault(Mode.KILL_BEFORE, 7))
    assert outcome.code == -9
    assert outcome.operations[-1].number == 7
    laboratory.drop(folder)


def test_a_full_disk_is_met_from_an_operation_on(laboratory: Laboratory) -> None:
    folder = laboratory.new_folder(laboratory.reference(_CARELESS).template)
    outcome = laboratory.run(_CARELESS.argv, folder, Fault(Mode.FAIL_FROM, 1, errno.ENOSPC))
    assert outcome.code == 1
    assert "No space left" in outcome.output
    laboratory.drop(folder)


def test_writing_in_place_is_noticed(laboratory: Laboratory) -> None:
    found = [enumerate_faults(laboratory, _CARELESS, group) for group in GROUPS]
    assert sum(tally.counts["losses"] for tally in found) > 0


def test_leftovers_are_noticed(laboratory: Laboratory) -> None:
    """Where the next run writes elsewhere, what the killed one left stays."""
    elsewhere = replace(_TIDY, name="elsewhere", again=("call", "text", "notes.txt", "mine\n"), targets={"copy": model})
    found = enumerate_faults(laboratory, elsewhere, "kill", limit=5)
    assert found.counts["unclean"] > 0

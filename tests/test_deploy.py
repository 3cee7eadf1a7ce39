"""The container image, the compose file and the systemd unit run commands that exist."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer

from nestrec.cli.main import app

yaml: Any = pytest.importorskip("yaml")

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


def parse(words: list[str]) -> dict[str, Any]:
    """Return the options of a command line; typer raises where it does not fit."""
    command: Any = typer.main.get_command(app)
    options: dict[str, Any] = command.commands[words[0]].make_context(words[0], words[1:]).params
    return options


def commands() -> dict[str, list[str]]:
    image = (DEPLOY / "Dockerfile").read_text()
    unit = (DEPLOY / "nestrec-serve.service").read_text()
    start = re.search(r"^ExecStart=\S+/nestrec (.*)$", unit, re.MULTILINE)
    default = re.search(r"^CMD (\[\"serve.*\])$", image, re.MULTILINE)
    assert start is not None
    assert default is not None
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return {
        "image": json.loads(default[1]),
        "compose": compose["services"]["nestrec"]["command"],
        "unit": shlex.split(start[1]),
    }


@pytest.mark.parametrize("name", ["image", "compose", "unit"])
def test_commands_parse(name: str) -> None:
    options = parse(commands()[name])
    assert len(options["models"]) == 1
    assert options["host"] == ("127.0.0.1" if name == "unit" else "0.0.0.0")


def test_the_compose_file_names_what_it_declares() -> None:
    compose = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    service = compose["services"]["nestrec"]
    assert set(service["secrets"]) == set(compose["secrets"])
    assert (DEPLOY / service["build"]["context"] / service["build"]["dockerfile"]).exists()


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd")
def test_the_unit_is_valid(tmp_path: Path) -> None:
    unit = tmp_path / "nestrec-serve.service"
    unit.write_text((DEPLOY / "nestrec-serve.service").read_text().replace("/opt/nestrec/bin/nestrec", "/bin/true"))
    done = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")

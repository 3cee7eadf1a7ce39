"""A process that has nestrec imported and its kernels compiled, and forks a child for each command it is asked to run.

Requests come as JSON lines on stdin: {"argv", "folder", "temporary", "output", "seconds"}; an argv that begins with
`call` names a function of calls.py instead of a command. The answer is {"code"} once the child has ended: its exit
code, minus a signal's number, or null where it had to be ended for taking too long.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import select
import signal
import sys
import tempfile
import traceback
from pathlib import Path
from typing import Any

_ROOT_AT = 40  # bytes into the control block: `root`


def main() -> None:
    """Warm up, say so, and answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    from tests.faults import calls

    calls.warm_up()
    gc.collect()
    gc.freeze()  # children share the pages
    threads = sum(1 for _ in Path("/proc/self/task").iterdir())
    answers.write(json.dumps({"threads": threads}) + "\n")
    answers.flush()
    root = _shared_root()
    for line in sys.stdin:
        answers.write(json.dumps({"code": _run(json.loads(line), root)}) + "\n")
        answers.flush()


def _shared_root() -> ctypes.c_int32:
    import mmap

    with Path(os.environ["FAULT_CONTROL"]).open("r+b") as file:
        return ctypes.c_int32.from_buffer(mmap.mmap(file.fileno(), 4096), _ROOT_AT)


def _run(request: dict[str, Any], root: ctypes.c_int32) -> int | None:
    child = os.fork()
    if child == 0:
        os.setsid()
        root.value = os.getpid()
        ctypes.CDLL(None).trap_raw_calls()
        _become(request)
    pidfd = os.pidfd_open(child)
    try:
        in_time = select.select([pidfd], [], [], request["seconds"])[0]
    finally:
        os.close(pidfd)
    if not in_time:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    _end_group(child)
    return os.waitstatus_to_exitcode(status) if in_time else None


def _end_group(child: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)


def _become(request: dict[str, Any]) -> None:
    """Run the command in the forked child, and end it as Python would."""
    code = 70
    try:
        output = os.open(request["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(output, 1)
        os.dup2(output, 2)
        sys.stdin = open(0, closefd=False)  # noqa: SIM115
        sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
        os.chdir(request["folder"])
        os.environ["TMPDIR"] = tempfile.tempdir = request["temporary"]
        code = _answer(request["argv"])
        sys.stdout.flush()
        sys.stderr.flush()
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    os._exit(code)


def _answer(argv: list[str]) -> int:
    from nestrec.cli.main import main as run
    from tests.faults import calls

    if argv[0] == "call":
        return calls.call(argv[1], argv[2:])
    return run(argv)


if __name__ == "__main__":
    main()

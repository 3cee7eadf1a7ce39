"""The command `nestrec`, also as `python -m nestrec`: Ctrl-C ends it without a traceback even while modules load."""

from __future__ import annotations

import sys

_INTERRUPTED = 130  # as in nestrec.cli.exit_codes, which is not loaded yet


def main() -> int:
    """Run the command line and return its exit code."""
    try:
        from nestrec.cli.main import main as run

        return run()
    except KeyboardInterrupt:
        return _INTERRUPTED


if __name__ == "__main__":
    sys.exit(main())

"""What the program has written into a folder, so that it may be written again, and nothing else is replaced.

The folder keeps the SHA-256 of each file in `.nestrec-outputs.json`. A file that is not as it was written is the
user's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from nestrec.atomic.output_file import atomic_file, check_output_folder
from nestrec.errors import OutputError

NAME = ".nestrec-outputs.json"
_BEING_WRITTEN = "being written"


class OwnOutputs:
    """Writes files into a folder; with `overwrite`, also over files of the user."""

    def __init__(self, folder: Path, *, overwrite: bool) -> None:
        self._folder, self._overwrite = folder, overwrite

    def check(self, names: Iterable[str]) -> None:
        """Raise OutputError where a file exists that is not as the program wrote it, or none can be written."""
        if self._folder.exists() and not self._folder.is_dir():
            raise OutputError(f"{self._folder} is a file; name another folder with --out")
        check_output_folder(self._folder)
        known = self._known()
        foreign = [name for name in names if not self._is_own(name, known)]
        if foreign and not self._overwrite:
            raise OutputError(
                f"{self._folder} already holds {', '.join(foreign)}, not written by this command or changed since; "
                "replace with --overwrite, or name another folder with --out"
            )

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        """Yield a path to write to, which takes the file's place at the end."""
        self.check([name])
        with atomic_file(self._folder / name, overwrite=True) as partial:
            yield partial
            # Before the rename: a run that is killed after it must know the file again.
            self._remember(name, [*self._known().get(name, []), _digest(partial)])

    def write_text(self, name: str, text: str) -> None:
        """Write a text file."""
        with self.writing(name) as partial:
            partial.write_text(text, encoding="utf-8")

    @contextmanager
    def writing_folder(self, name: str, main: str) -> Iterator[Path]:
        """Yield the path of a folder that is written inside the block; `main` is the file it is known by."""
        self.check([f"{name}/{main}"])
        self._remember(f"{name}/{main}", [_BEING_WRITTEN])
        yield self._folder / name
        self._remember(f"{name}/{main}", [_digest(self._folder / name / main)])

    def _is_own(self, name: str, known: dict[str, list[str]]) -> bool:
        path = self._folder / name
        if not path.exists():
            return True
        written = known.get(name, [])
        return _BEING_WRITTEN in written or (path.is_file() and _digest(path) in written)

    def _known(self) -> dict[str, list[str]]:
        try:
            known = json.loads((self._folder / NAME).read_text(encoding="utf-8"))
            return {str(name): [str(digest) for digest in digests] for name, digests in known["files"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {}

    def _remember(self, name: str, digests: list[str]) -> None:
        files = {**self._known(), name: digests[-3:]}
        with atomic_file(self._folder / NAME, overwrite=True) as partial:
            partial.write_text(json.dumps({"files": files}, indent=2) + "\n", encoding="utf-8")


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

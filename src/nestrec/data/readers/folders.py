"""The files that a folder stands for: all of one kind, in the order of their names."""

from __future__ import annotations

from pathlib import Path

from nestrec.data.readers.packing import EXTENSIONS
from nestrec.errors import DataError

_TABLE_FORMATS = {"_delta_log": "a Delta Lake table", ".hoodie": "a Hudi table"}
_NOT_DATA = (".crc", ".md5", ".sha256")


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder, and of its `key=value` folders, sorted.

    Names that begin with a dot or an underscore (`_SUCCESS`) are passed over. Raises DataError where there is no file,
    where kinds are mixed, and where other folders lie among the files.
    """
    files = _walk(folder, folder)
    if not files:
        raise DataError(f"{folder} is a folder without files of interactions; give a file, or a folder of files")
    kinds = {_kind(file) for file in files}
    if len(kinds) > 1:
        named = ", ".join(sorted(kind or "without extension" for kind in kinds))
        raise DataError(
            f"{folder} is a folder of files of different kinds ({named}); name the files that belong together, or move "
            "them to a folder of their own"
        )
    return files


def has_partitions(folder: Path, files: list[Path]) -> bool:
    """Tell whether folders below this one name columns, as in `country=de/part-0.parquet`."""
    return any("=" in part for file in files for part in file.relative_to(folder).parts[:-1])


def _walk(top: Path, folder: Path) -> list[Path]:
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{folder} cannot be read ({error.strerror}); check its permissions") from error
    for name, what in _TABLE_FORMATS.items():
        if any(entry.name == name for entry in entries):
            raise DataError(
                f"{top} is {what}, whose files may hold rows that were deleted; export the table as plain Parquet"
            )
    files: list[Path] = []
    for entry in entries:
        if entry.name.startswith((".", "_")) or entry.name.endswith(_NOT_DATA):
            continue
        if not entry.is_dir():
            files.append(entry)
        elif "=" in entry.name:
            files += _walk(top, entry)
        else:
            raise DataError(
                f"{top} holds another folder, {entry.name}, so which files belong together is unknown; name the files, "
                "or the folder that holds them alone"
            )
    return files


def _kind(file: Path) -> str:
    suffix = file.suffix.lower()
    return file.with_suffix("").suffix.lower() + suffix if suffix in EXTENSIONS else suffix

"""The reader for a source: chosen by its type, then by the file's first bytes, its name, and its contents."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing

from nestrec.data.formats import FORMATS, Format, find_by_extension, load_formats, selectable_formats
from nestrec.data.read_options import ReadOptions
from nestrec.data.readers.batch import Reader
from nestrec.data.readers.byte_source import ByteSource
from nestrec.data.readers.foreign_files import refuse_extension, refuse_stand_ins
from nestrec.data.readers.location import Location, files_in, has_partitions, locate
from nestrec.data.readers.objects import EXCLUDED_OPTIONS, classify_source, describe_source, open_object
from nestrec.data.readers.several import SeveralReader
from nestrec.data.readers.text_format import detect_text_format
from nestrec.errors import DataError, OptionError

_ANY_TEXT = ("", "txt", "dat", "data", "text", "tab", "edges")
_SAMPLE_BYTES = 1 << 17
_SHOWN = 5  # files that a note names


def open_reader(source: object, options: ReadOptions) -> tuple[Reader, str]:
    """Return the reader and the name to show for the source.

    Raises DataError where there is nothing to read, or not of a kind that can be.
    """
    if isinstance(source, (str, os.PathLike)):
        return _open_locations([locate(source)], options)
    if isinstance(source, Sequence) and source and all(isinstance(part, (str, os.PathLike)) for part in source):
        return _open_locations([locate(part) for part in source], options)
    kind = classify_source(source)
    _refuse_options(kind, EXCLUDED_OPTIONS[kind], options)
    return open_object(source, kind, options), describe_source(source)


def _open_locations(locations: list[Location], options: ReadOptions) -> tuple[Reader, str]:
    """Open files and the files of folders as one source."""
    if sum(location.is_standard_input for location in locations) > 1:
        raise DataError("standard input can be read once only; name it once")
    files: list[Location] = []
    partitions = False
    for location in locations:
        if not location.is_folder:
            files.append(location)
            continue
        inside = files_in(location.path)
        partitions |= has_partitions(location.path, inside)
        files += [Location(path) for path in inside]
    if len(files) == 1 and not partitions:
        return _open_file(ByteSource(files[0], options.encoding), options), files[0].name
    name = _describe(locations, files)
    reader = _open_files(files, name, options, partitions=partitions)
    shown = ", ".join(file.name for file in files[:_SHOWN]) + (", …" if len(files) > _SHOWN else "")
    reader.notes.insert(0, f"{len(files):,} file{'' if len(files) == 1 else 's'} read as one: {shown}")
    return reader, name


def _describe(locations: list[Location], files: list[Location]) -> str:
    first = locations[0].name
    if len(locations) == 1:
        return f"{first} ({len(files):,} file{'' if len(files) == 1 else 's'})"
    return f"{first} and {len(locations) - 1:,} more ({len(files):,} files)"


def _open_files(files: list[Location], name: str, options: ReadOptions, *, partitions: bool) -> Reader:
    first = ByteSource(files[0], options.encoding)
    if first.format is FORMATS["parquet"]:
        return _open_parquet_files(first, files[1:], name, options, partitions=partitions)
    openers: list[Callable[[], Reader | None]] = [lambda: _open_unless_empty(first, options)]
    openers += [_opener(file, options) for file in files[1:]]
    return SeveralReader([file.name for file in files], openers, [_size(file) for file in files])


def _open_parquet_files(
    first: ByteSource, rest: list[Location], name: str, options: ReadOptions, *, partitions: bool
) -> Reader:
    from nestrec.data.readers.parquet import open_parquet_files

    def parquet_sources() -> Iterator[ByteSource]:
        yield first
        for location in rest:
            source = ByteSource(location)
            if source.format is not first.format:
                source.close()
                raise DataError(f"{source.path} is no Parquet file, and {first.path} is one; give files of one format")
            yield source

    with closing(first):
        _choose_format(first, options)
        return open_parquet_files(parquet_sources(), name, options, hive=partitions)


def _opener(file: Location, options: ReadOptions) -> Callable[[], Reader | None]:
    return lambda: _open_unless_empty(ByteSource(file, options.encoding), options)


def _open_unless_empty(source: ByteSource, options: ReadOptions) -> Reader | None:
    if source.head(1):
        return _open_file(source, options)
    source.close()
    return None


def _size(file: Location) -> int | None:
    return file.path.stat().st_size if not file.is_standard_input and file.path.is_file() else None


def _open_file(source: ByteSource, options: ReadOptions) -> Reader:
    """Return the reader of an opened file, which it takes over."""
    with ExitStack() as unless_opened:
        unless_opened.callback(source.close)
        reader: Reader = _choose_format(source, options).open(source, options)
        unless_opened.pop_all()
    return reader


def _choose_format(source: ByteSource, options: ReadOptions) -> Format:
    """Return the format of a file; raise OptionError for options that do not apply to it."""
    if source.format is None:
        chosen = _choose_text_format(source, options)
    else:
        chosen = source.format
        _check_named(source, chosen, options)
    _refuse_options(chosen.name, chosen.excluded_options, options)
    return chosen


def _choose_text_format(source: ByteSource, options: ReadOptions) -> Format:
    head = source.head(_SAMPLE_BYTES)
    refuse_stand_ins(source.path, head)
    if options.format is not None:
        return load_formats()[options.format]
    known = find_by_extension(source.extension)
    if known is not None:
        return known
    if source.extension not in _ANY_TEXT and source.is_regular and source.head(1):
        refuse_extension(source.path, source.extension)
        raise DataError(
            f"{source.path}: the extension .{source.extension} names no format that can be read; give format, one "
            f"of {', '.join(selectable_formats())}",
            mentions=("format",),
        )
    return FORMATS[detect_text_format(head, is_whole=len(head) < _SAMPLE_BYTES, options=options, name=source.path)]


def _check_named(source: ByteSource, found: Format, options: ReadOptions) -> None:
    """Raise DataError where a binary file is named as if it had another format."""
    if not found.is_selectable:
        if options.format is not None:
            raise DataError(
                f"{source.path} is read as {found.name} by its contents, not as {options.format}; leave out format",
                mentions=("format",),
            )
        return
    by_name = find_by_extension(source.extension)
    if options.format not in (None, found.name) or (options.format is None and by_name not in (None, found)):
        other = options.format or source.extension
        raise DataError(
            f"{source.path} is a {found.name.capitalize()} file read as {other}; give format={found.name!r}",
            mentions=("format",),
        )


def _refuse_options(format_name: str, excluded: Sequence[str], options: ReadOptions) -> None:
    """Raise OptionError where an option was given that does not apply to the format; none is silently ignored."""
    defaults = ReadOptions()
    for option in excluded:
        value = getattr(options, option)
        if value != getattr(defaults, option):
            raise OptionError(
                f"{option} does not apply to interactions read as {format_name}, got {value!r}; leave it out",
                option=option,
            )

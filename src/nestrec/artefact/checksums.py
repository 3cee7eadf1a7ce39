"""Checksums of a file's blocks: XXH3 (64 bits) of every MiB, so that a large file can be verified in part.

They find damage, not forgery. XXH3 reads about five times as fast as SHA-256 (measured: docs/design.md).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from io import BufferedReader
from pathlib import Path

import xxhash

from nestrec.errors import ModelFileError

BLOCK = 1 << 20  # bytes; part of the format
VERIFIED_UP_TO = 256 * BLOCK  # bytes of a file that is verified whole unless the caller says otherwise
SAMPLED = 64  # blocks verified of a larger one
_DIGITS = 16  # hexadecimal, of each block


def digest_blocks(file: BufferedReader) -> str:
    """Return the checksums of all blocks of an open file, 16 hexadecimal digits each, in one string."""
    file.seek(0)
    buffer, digests = memoryview(bytearray(BLOCK)), []
    while n := file.readinto(buffer):
        digests.append(xxhash.xxh3_64_hexdigest(buffer[:n]))
    return "".join(digests)


def count_blocks(size: int) -> int:
    """Return the number of blocks of a file of so many bytes."""
    return -(-size // BLOCK)


def choose_blocks(size: int, *, verify: bool | None) -> Sequence[int]:
    """Return the blocks to verify: all (`verify` True), none (False), or by size (None).

    By size, a file up to VERIFIED_UP_TO is verified whole; of a larger one the first block (its header), the last and
    random others, new ones at each call, so that many processes that load one model come to read all of it.
    """
    n = count_blocks(size)
    if verify is False:
        return ()
    if verify or size <= VERIFIED_UP_TO or n <= SAMPLED:
        return range(n)
    return sorted({0, n - 1, *random.SystemRandom().sample(range(1, n - 1), SAMPLED - 2)})


def check_blocks(path: Path, file: BufferedReader, digests: str, blocks: Iterable[int]) -> None:
    """Raise ModelFileError where a block of an open file does not have its checksum."""
    buffer = memoryview(bytearray(BLOCK))
    for block in blocks:
        file.seek(block * BLOCK)
        n = file.readinto(buffer)
        if xxhash.xxh3_64_hexdigest(buffer[:n]) != digests[block * _DIGITS : (block + 1) * _DIGITS]:
            raise ModelFileError(
                f"{path} is damaged: the checksum of bytes {block * BLOCK} to {block * BLOCK + n} is not the one in "
                "its manifest; copy or train the model again"
            )

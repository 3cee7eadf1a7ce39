"""Public data sets: their sources and terms, and how they are downloaded.

The MD5 of each archive is the one that GroupLens publishes beside it. `ml-latest-small` is replaced from time to time,
so for it that file is fetched too. An archive fetched by other means is used where it lies in the folder under its own
name.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from nestrec.atomic.locks import FileLock, LockTakenError
from nestrec.data.archive import check_room, compute_md5, unpack
from nestrec.data.read_options import ReadOptions
from nestrec.data.transfer import Progress, explain_writing, fetch, fetch_text, get_size
from nestrec.errors import DownloadError, OptionError

GROUPLENS_URL = "https://files.grouplens.org/datasets/movielens"
MIRROR_VARIABLE = "NESTREC_DATASETS_URL"

_LICENCE = (
    "Terms of GroupLens: for research, with acknowledgement in publications; no endorsement may be implied; no "
    "commercial use without permission; redistribution only as the README of the data set allows."
)
_CITATION = (
    "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. ACM Transactions on "
    "Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872"
)


@dataclass(frozen=True)
class PublicDataset:
    """One data set: where it comes from, its terms, and how its interactions are read."""

    name: str
    title: str
    archive: str  # file name at the publisher
    n_bytes: int  # of the archive
    md5: str | None  # of the archive; None where it changes: the publisher's checksum file is fetched
    interactions: str  # member of the archive
    others: tuple[str, ...]  # members worth having: titles, terms
    terms: str  # address of the full text, relative to the publisher's folder
    options: ReadOptions
    licence: str = _LICENCE
    citation: str = _CITATION

    @property
    def url(self) -> str:
        """Address of the archive at its publisher."""
        return f"{GROUPLENS_URL}/{self.archive}"

    @property
    def licence_url(self) -> str:
        """Address of the full terms."""
        return f"{GROUPLENS_URL}/{self.terms}"

    def path_in(self, folder: Path) -> Path:
        """Return where the interactions lie once they are there."""
        return folder / self.name / PurePosixPath(self.interactions).name


def _build_positional_options(delimiter: str) -> ReadOptions:
    return ReadOptions(
        delimiter=delimiter, header=False, user_column=1, item_column=2, rating_column=3, timestamp_column=4
    )


def _describe_movielens(name: str, title: str, n_bytes: int, md5: str | None) -> PublicDataset:
    """Describe one of the sets that are CSV files with headers."""
    others = (f"{name}/movies.csv", f"{name}/README.txt")
    return PublicDataset(
        name, title, f"{name}.zip", n_bytes, md5, f"{name}/ratings.csv", others, f"{name}-README.html", ReadOptions()
    )


_ALL = (
    _describe_movielens("ml-latest-small", "MovieLens latest small: 100,000 ratings, changes over time", 978_202, None),
    PublicDataset(
        "ml-100k", "MovieLens 100K: 100,000 ratings of 1,682 films by 943 users, 1997-1998", "ml-100k.zip", 4_924_029,
        "0e33842e24a9c977be4e0107933c0723", "ml-100k/u.data", ("ml-100k/u.item", "ml-100k/README"),
        "ml-100k-README.txt", _build_positional_options("\t"),
    ),
    PublicDataset(
        "ml-1m", "MovieLens 1M: 1,000,209 ratings of 3,706 films by 6,040 users, 2000-2003", "ml-1m.zip", 5_917_549,
        "c4d9eecfca2ab87c1945afe126590906", "ml-1m/ratings.dat", ("ml-1m/movies.dat", "ml-1m/README"),
        "ml-1m-README.txt", _build_positional_options("::"),
    ),
    PublicDataset(
        "ml-10m", "MovieLens 10M: 10,000,054 ratings of 10,677 films by 69,878 users, 1995-2009", "ml-10m.zip",
        65_566_137, "ce571fd55effeba0271552578f2648bd", "ml-10M100K/ratings.dat",
        ("ml-10M100K/movies.dat", "ml-10M100K/README.html"), "ml-10m-README.html", _build_positional_options("::"),
    ),
    _describe_movielens(
        "ml-20m", "MovieLens 20M: 20,000,263 ratings of 26,744 films by 138,493 users, 1995-2015", 198_702_078,
        "cd245b17a1ae2cc31bb14903e1204af3",
    ),
    _describe_movielens(
        "ml-25m", "MovieLens 25M: 25,000,095 ratings of 59,047 films by 162,541 users, 1995-2019", 261_978_986,
        "6b51fb2759a8657d3bfcbfc42b592ada",
    ),
    _describe_movielens(
        "ml-32m", "MovieLens 32M: 32,000,204 ratings of 84,432 films by 200,948 users, 1995-2023", 238_950_008,
        "d472be332d4daa821edc399621853b57",
    ),
)  # fmt: skip

PUBLIC_DATASETS: dict[str, PublicDataset] = {data.name: data for data in _ALL}


def get_dataset(name: str) -> PublicDataset:
    """Return the data set of that name; raise OptionError for an unknown one.

    >>> get_dataset("ml-1m").options.delimiter
    '::'
    """
    if name not in PUBLIC_DATASETS:
        raise OptionError(f"data set {name!r} is unknown; choose one of {', '.join(PUBLIC_DATASETS)}")
    return PUBLIC_DATASETS[name]


def get_default_folder() -> Path:
    """Return the folder for data sets: `nestrec/datasets` in XDG_CACHE_HOME, or in ~/.cache."""
    cache = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(cache) if Path(cache).is_absolute() else Path.home() / ".cache") / "nestrec" / "datasets"


def find_downloaded(name: str, folder: Path | str | None = None) -> Path | None:
    """Return the file of interactions where it has been downloaded already, else None."""
    path = get_dataset(name).path_in(get_default_folder() if folder is None else Path(folder))
    return path if path.is_file() else None


def download(
    name: str,
    folder: Path | str | None = None,
    progress: Progress | None = None,
    base_url: str | None = None,
) -> Path:
    """Return the file of interactions, downloaded unless it is there; read it with `get_dataset(name).options`.

    An interrupted download resumes where it stopped. `base_url`, or the environment variable NESTREC_DATASETS_URL,
    names a mirror that holds the archives under their own names. Raises OptionError for an unknown name or address and
    DownloadError where the data cannot be fetched, written, or are not what the publisher promises.
    """
    data = get_dataset(name)
    place = get_default_folder() if folder is None else Path(folder)
    path = data.path_in(place)
    if path.is_file():
        return path
    if path.parent.exists():
        raise DownloadError(f"{path.parent} exists and holds no {path.name}; remove it, then run it again")
    address = _check_address(base_url or os.environ.get(MIRROR_VARIABLE) or GROUPLENS_URL)
    with explain_writing(place):
        place.mkdir(parents=True, exist_ok=True)
    archive = place / data.archive
    if archive.is_file():  # fetched by other means, so it stays
        _check_given(archive, data)
        unpack(archive, data.interactions, data.others, place / data.name)
        return path
    part = _fetch_archive(data, f"{address}/{data.archive}", archive, progress)
    unpack(part, data.interactions, data.others, place / data.name)
    part.unlink(missing_ok=True)
    return path


def _check_address(address: str) -> str:
    if not re.match(r"https?://[^/]", address):
        raise OptionError(f"the address of a mirror must begin with https:// or http://, got {address!r}")
    return address.rstrip("/")


def _check_given(archive: Path, data: PublicDataset) -> None:
    """Check an archive that was put there; where no checksum is known, unpacking still checks each member's."""
    if data.md5 is not None and compute_md5(archive) != data.md5:
        raise DownloadError(
            f"{archive} has MD5 {compute_md5(archive)}, its publisher states {data.md5}; remove it to download it again"
        )


def _fetch_archive(data: PublicDataset, url: str, archive: Path, progress: Progress | None) -> Path:
    """Fetch to a `.part` file, check it, and return it."""
    part = archive.with_name(archive.name + ".part")
    expected = data.md5 or _fetch_md5(f"{url}.md5")
    check_room(archive.parent, data.n_bytes - get_size(part))
    with _lock(part):
        # An earlier piece may be of another version or damaged: then once more, from the start.
        for _ in range(2 if get_size(part) else 1):
            fetch(url, part, progress)
            if (found := compute_md5(part)) == expected:
                return part
            part.unlink()
    raise DownloadError(
        f"{url}: what came has MD5 {found}, its publisher states {expected}; it was removed, so try again or use "
        "another mirror"
    )


@contextmanager
def _lock(part: Path) -> Iterator[None]:
    """Exclude another download of the same file, which would write into the same piece."""
    try:
        with explain_writing(part):
            lock = FileLock(part.with_name(f".{part.name}.lock"))
    except LockTakenError as error:
        raise DownloadError(f"another run is downloading {part}; wait for its end") from error
    try:
        yield
    finally:
        lock.release(delete=True)


def _fetch_md5(url: str) -> str:
    """Return the checksum in a publisher's file, `MD5 (name) = …` or `…  name`."""
    text = fetch_text(url)
    found = re.search(r"\b[0-9a-fA-F]{32}\b", text)
    if found is None:
        raise DownloadError(f"{url}: {text[:60]!r} holds no MD5 checksum; try again later or use another mirror")
    return found[0].lower()

"""Unsupported files: foreign formats, documents and pointers to data, each refused with advice."""

from __future__ import annotations

from dataclasses import dataclass

from nestrec.data.formats import has_signature
from nestrec.errors import DataError

HEAD_BYTES = 512  # enough for every signature


@dataclass(frozen=True)
class _Foreign:
    """A kind of file that is not read."""

    what: str
    advice: str
    extensions: tuple[str, ...] = ()
    signatures: tuple[bytes, ...] = ()
    offset: int = 0  # of the signatures


_SAVE_SHEET = "save the sheet as CSV, or convert it with pandas.read_excel(FILE).to_csv('FILE.csv', index=False)"
_EXCEL = _Foreign(
    "an Excel workbook", _SAVE_SHEET, ("xls", "xlsx", "xlsm", "xlsb"), (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",)
)
_CALC = _Foreign("an OpenDocument spreadsheet", _SAVE_SHEET, ("ods",))
_NUMPY = _Foreign(
    "an array file of NumPy",
    "load it with numpy.load or scipy.sparse.load_npz and pass a sparse matrix or a dictionary of columns in Python",
    ("npy", "npz"), (b"\x93NUMPY",),
)  # fmt: skip
_PAGE = _Foreign("a web page, perhaps of a failed download", "fetch the file itself", ("html", "htm"))

_FOREIGN = (
    _EXCEL,
    _CALC,
    _NUMPY,
    _PAGE,
    _Foreign(
        "a Python pickle, which may run code when it is loaded",
        "convert it with pandas.read_pickle(FILE).to_parquet('FILE.parquet') if you trust it",
        ("pkl", "pickle", "joblib"), (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"),
    ),
    _Foreign(
        "an HDF5 file", "convert its table with pandas.read_hdf(FILE).to_parquet('FILE.parquet')",
        ("h5", "hdf5", "hdf"), (b"\x89HDF\r\n\x1a\n",),
    ),
    _Foreign(
        "a MATLAB file", "load it with scipy.io.loadmat and pass the sparse matrix in Python",
        ("mat",), (b"MATLAB 5.0 MAT-file",),
    ),
    _Foreign("an ORC file", "convert it with pandas.read_orc(FILE).to_parquet('FILE.parquet')", ("orc",), (b"ORC",)),
    _Foreign("an Avro file", "convert it to Parquet or CSV", ("avro",), (b"Obj\x01",)),
    _Foreign(
        "an archive of a kind that is not read", "extract the file of interactions from it first",
        ("7z", "rar"), (b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07"),
    ),
    _Foreign(
        "a tar archive", "extract the file of interactions first, for example with `tar -xf FILE`",
        ("tar", "tgz", "tbz2", "txz"), (b"ustar",), 257,
    ),
    _Foreign(
        "packed in a way that is not read", "unpack it, or pack it with gzip, Zstandard, bzip2 or xz",
        ("lz4", "br", "snappy", "sz", "z", "lzo", "lzma"),
        # the last three inside what was unpacked already
        (b"\x04\x22\x4d\x18", b"\x1f\x9d", b"\x1f\x8b", b"\x28\xb5\x2f\xfd", b"PK\x03\x04"),
    ),
    _Foreign(
        "a Feather file of version 1", "convert it with pandas.read_feather(FILE).to_parquet('FILE.parquet')",
        signatures=(b"FEA1",),
    ),
    _Foreign("an encrypted Parquet file", "write it again without encryption", signatures=(b"PARE",)),
    _Foreign("a PDF document", "export the table as CSV", ("pdf",), (b"%PDF-",)),
    _Foreign(
        "a data file of a statistics package",
        "export it as CSV or Parquet there, or convert it with pandas.read_stata, read_sas or read_spss",
        ("dta", "sas7bdat", "xpt", "sav", "por"),
    ),
    _Foreign(
        "an R data file", "write it as CSV in R: write.csv(data, 'FILE.csv', row.names = FALSE)",
        ("rds", "rda", "rdata"), (b"RDX2\n", b"RDX3\n"),
    ),
    _Foreign("a binary form of JSON", "convert it to JSON lines", ("bson", "msgpack", "cbor")),
)  # fmt: skip

_STAND_INS = {  # first characters of text that replaces the data
    "version https://git-lfs.github.com/spec/": ("a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    "version https://hawser.github.com/spec/": ("a Git LFS pointer", "fetch the file itself with `git lfs pull`"),
    "outs:": ("a DVC pointer", "fetch the file itself with `dvc pull`"),
    "/annex/objects/": ("a git-annex pointer", "fetch the file itself with `git annex get`"),
    "%%MatrixMarket": ("a Matrix Market file", "load it with scipy.io.mmread and pass the matrix in Python"),
    "<?xml": ("an XML document, perhaps of a failed download", "fetch the file itself"),
    "<Error>": ("an error message, perhaps of a failed download", "fetch the file itself"),
    "<!DOCTYPE": ("a web page, perhaps of a failed download", "fetch the file itself"),
}


def refuse_foreign(name: str, head: bytes) -> None:
    """Raise DataError where the first bytes are those of a kind of file that is not read."""
    for foreign in _FOREIGN:
        if any(has_signature(head, foreign.offset, signature) for signature in foreign.signatures):
            raise _refusal(name, foreign)
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise _refusal(name, _PAGE)


def refuse_stand_ins(name: str, head: bytes) -> None:
    """Raise DataError where the text is a pointer to the data or an error message instead of the data."""
    text = head[:200].decode("utf-8", "replace").lstrip("\ufeff \r\n\t")
    for start, (what, remedy) in _STAND_INS.items():
        if text.startswith(start) and (start != "outs:" or "md5:" in text):
            raise DataError(f"{name} is {what}, not the data; {remedy}")


def refuse_extension(name: str, extension: str) -> None:
    """Raise DataError where the extension is that of a kind of file that is not read."""
    for foreign in _FOREIGN:
        if extension in foreign.extensions:
            raise DataError(
                f"{name} is named like {foreign.what}; {foreign.advice}; if it is text all the same, give format",
                mentions=("format",),
            )


def refuse_zip_document(name: str, members: list[str]) -> None:
    """Raise DataError where a zip archive is a document of some program."""
    if any(member.startswith("xl/") for member in members):
        raise _refusal(name, _EXCEL)
    if "mimetype" in members and "content.xml" in members:
        raise _refusal(name, _CALC)
    if members and all(member.endswith(".npy") for member in members):
        raise _refusal(name, _NUMPY)


def _refusal(name: str, foreign: _Foreign) -> DataError:
    return DataError(f"{name} is {foreign.what}; {foreign.advice}")

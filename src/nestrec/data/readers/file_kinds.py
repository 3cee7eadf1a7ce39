"""Kinds of binary files by their first bytes: those that are read, and advice for those that are not."""

from __future__ import annotations

from nestrec.errors import DataError

HEAD_BYTES = 512  # enough for every signature below

_READ = {b"PAR1": "parquet", b"ARROW1\0\0": "arrow", b"\xff\xff\xff\xff": "arrow", b"SQLite format 3\0": "sqlite"}
_DUCKDB = (8, b"DUCK")

_EXCEL = (
    "an Excel workbook",
    "save the sheet as CSV, or convert it with pandas.read_excel(FILE).to_csv('FILE.csv', index=False)",
)
_CALC = (
    "an OpenDocument spreadsheet",
    "save the sheet as CSV, or convert it with pandas.read_excel(FILE).to_csv('FILE.csv', index=False)",
)
_PICKLE = (
    "a Python pickle, which may run code when it is loaded",
    "convert it with pandas.read_pickle(FILE).to_parquet('FILE.parquet') if you trust it",
)
_NUMPY = (
    "an array file of NumPy",
    "load it with numpy.load or scipy.sparse.load_npz and pass a sparse matrix or a dictionary of columns in Python",
)
_HDF5 = ("an HDF5 file", "convert its table with pandas.read_hdf(FILE).to_parquet('FILE.parquet')")
_MATLAB = (
    "a MATLAB file",
    "load it with scipy.io.loadmat and pass the sparse matrix in Python",
)
_ORC = ("an ORC file", "convert it with pandas.read_orc(FILE).to_parquet('FILE.parquet')")
_AVRO = ("an Avro file", "convert it to Parquet or CSV")
_ARCHIVE = ("an archive of a kind that is not read", "extract the file of interactions from it first")
_TAR = ("a tar archive", "extract the file of interactions first, for example with `tar -xf FILE`")
_PACKED = ("packed in a way that is not read", "unpack it, or pack it with gzip, Zstandard, bzip2 or xz")
_FEATHER_1 = ("a Feather file of version 1", "convert it with pandas.read_feather(FILE).to_parquet('FILE.parquet')")
_PAGE = ("a web page, perhaps of a failed download", "fetch the file itself")
_PDF = ("a PDF document", "export the table as CSV")
_STATISTICS = (
    "a data file of a statistics package",
    "export it as CSV or Parquet there, or convert it with pandas.read_stata, read_sas or read_spss",
)
_R_DATA = ("an R data file", "write it as CSV in R: write.csv(data, 'FILE.csv', row.names = FALSE)")
_ENCRYPTED_PARQUET = ("an encrypted Parquet file", "write it again without encryption")
_JSON_BINARY = ("a binary form of JSON", "convert it to JSON lines")

# Made of letters alone, as the name of a column may be: these count only where a zero byte follows, as in no text.
_LETTERS = (b"PARE", b"FEA1", b"MATLAB 5.0 MAT-file", b"ORC", b"DUCK")

_SIGNATURES: tuple[tuple[int, bytes, tuple[str, str]], ...] = (
    (0, b"PARE", _ENCRYPTED_PARQUET),
    (0, b"FEA1", _FEATHER_1),
    (0, b"\x93NUMPY", _NUMPY),
    (0, b"\x89HDF\r\n\x1a\n", _HDF5),
    (0, b"MATLAB 5.0 MAT-file", _MATLAB),
    (0, b"ORC", _ORC),
    (0, b"Obj\x01", _AVRO),
    (0, b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _EXCEL),
    (0, b"%PDF-", _PDF),
    (0, b"7z\xbc\xaf\x27\x1c", _ARCHIVE),
    (0, b"Rar!\x1a\x07", _ARCHIVE),
    (257, b"ustar", _TAR),
    (0, b"\x04\x22\x4d\x18", _PACKED),
    (0, b"\x1f\x9d", _PACKED),
    (0, b"\x1f\x8b", _PACKED),  # inside what was unpacked already
    (0, b"\x28\xb5\x2f\xfd", _PACKED),
    (0, b"PK\x03\x04", _PACKED),
    (0, b"RDX2\n", _R_DATA),
    (0, b"RDX3\n", _R_DATA),
    (0, b"\x80\x02", _PICKLE),
    (0, b"\x80\x03", _PICKLE),
    (0, b"\x80\x04", _PICKLE),
    (0, b"\x80\x05", _PICKLE),
)

_BY_EXTENSION: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("xls", "xlsx", "xlsm", "xlsb"), _EXCEL),
    "ods": _CALC,
    **dict.fromkeys(("pkl", "pickle", "joblib"), _PICKLE),
    **dict.fromkeys(("npy", "npz"), _NUMPY),
    **dict.fromkeys(("h5", "hdf5", "hdf"), _HDF5),
    "mat": _MATLAB,
    "orc": _ORC,
    "avro": _AVRO,
    **dict.fromkeys(("7z", "rar"), _ARCHIVE),
    **dict.fromkeys(("tar", "tgz", "tbz2", "txz"), _TAR),
    **dict.fromkeys(("lz4", "br", "snappy", "sz", "z", "lzo", "lzma"), _PACKED),
    **dict.fromkeys(("html", "htm"), _PAGE),
    "pdf": _PDF,
    **dict.fromkeys(("dta", "sas7bdat", "xpt", "sav", "por"), _STATISTICS),
    **dict.fromkeys(("rds", "rda", "rdata"), _R_DATA),
    **dict.fromkeys(("bson", "msgpack", "cbor"), _JSON_BINARY),
}


def detect_kind(head: bytes) -> str | None:
    """Return parquet, arrow, sqlite or duckdb by the first bytes of a file, or None where it may be text."""
    for signature, kind in _READ.items():
        if head.startswith(signature):
            return kind
    return "duckdb" if _has_signature(head, *_DUCKDB) else None


def refuse_foreign(name: str, head: bytes) -> None:
    """Raise DataError where the first bytes are those of a kind of file that is not read."""
    for offset, signature, (what, advice) in _SIGNATURES:
        if _has_signature(head, offset, signature):
            raise DataError(f"{name} is {what}; {advice}")
    if head.lstrip()[:14].lower().startswith((b"<!doctype html", b"<html")):
        raise DataError(f"{name} is {_PAGE[0]}; {_PAGE[1]}")


def _has_signature(head: bytes, offset: int, signature: bytes) -> bool:
    found = head[offset : offset + len(signature)] == signature
    return found and (signature not in _LETTERS or b"\0" in head)


def refuse_extension(name: str, extension: str) -> None:
    """Raise DataError where the extension is that of a kind of file that is not read."""
    if extension in _BY_EXTENSION:
        what, advice = _BY_EXTENSION[extension]
        raise DataError(f"{name} is named like {what}; {advice}; if it is text all the same, name the format")


def refuse_zip_document(name: str, members: list[str]) -> None:
    """Raise DataError where a zip archive is a document of some program."""
    if any(member.startswith("xl/") for member in members):
        raise DataError(f"{name} is {_EXCEL[0]}; {_EXCEL[1]}")
    if "mimetype" in members and "content.xml" in members:
        raise DataError(f"{name} is {_CALC[0]}; {_CALC[1]}")
    if members and all(member.endswith(".npy") for member in members):
        raise DataError(f"{name} is {_NUMPY[0]}; {_NUMPY[1]}")

"""Files of formats that are not read: what they are called, and what to do with them."""

from __future__ import annotations

import re

_TEXT = "Parquet, CSV, JSON, JSON Lines and NumPy are read."
_PACKED = "Files packed with gzip, zstd or bzip2 are read; unpack it."
_UNPACK = "Unpack it and import the files in it."
_CONVERT = "Save it as Parquet or CSV."
_SHEET = "Save the sheet as CSV."
_PICTURE = "It holds no rows."

_MARKS: tuple[tuple[bytes, str, str], ...] = (
    (b"PARE", "an encrypted Parquet file", "Write it without encryption."),
    (b"ORC", "an ORC file", _CONVERT),
    (b"Obj\x01", "an Avro file", _CONVERT),
    (b"ARROW1", "an Arrow (Feather) file", _CONVERT),
    (b"FEA1", "a Feather file", _CONVERT),
    (b"\xff\xff\xff\xff", "an Arrow stream", _CONVERT),
    (b"PK\x03\x04", "a ZIP archive", _UNPACK),
    (b"PK\x05\x06", "an empty ZIP archive", _UNPACK),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", _UNPACK),
    (b"Rar!\x1a\x07", "a RAR archive", _UNPACK),
    (b"\xfd7zXZ\x00", "an xz file", _PACKED),
    (b"\x04\x22\x4d\x18", "an lz4 file", _PACKED),
    (b"\xff\x06\x00\x00sNaPpY", "a Snappy file", _PACKED),
    (b"]\x00\x00", "an LZMA file", _PACKED),
    (b"\x1f\x9d", "a file packed with compress (.Z)", _PACKED),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document (.xls, .doc)", _SHEET),
    (b"SQLite format 3\x00", "an SQLite database", "Export its tables as CSV."),
    (b"\x00\x01\x00\x00Standard ", "an Access database", "Export its tables as CSV."),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", _CONVERT),
    (b"CDF\x01", "a NetCDF file", _CONVERT),
    (b"CDF\x02", "a NetCDF file", _CONVERT),
    (b"MATLAB 5.0", "a MATLAB file", _CONVERT),
    (b"<stata_dta>", "a Stata file", _CONVERT),
    (b"$FL2", "an SPSS file", _CONVERT),
    (b"$FL3", "an SPSS file", _CONVERT),
    (b"RDX", "an R data file", _CONVERT),
    (b"%PDF-", "a PDF document", _TEXT),
    (b"\x89PNG\r\n", "a picture", _PICTURE),
    (b"\xff\xd8\xff", "a picture", _PICTURE),
    (b"GIF8", "a picture", _PICTURE),
    (b"II*\x00", "a picture", _PICTURE),
    (b"MM\x00*", "a picture", _PICTURE),
    (b"\x7fELF", "a program", _TEXT),
    (b"\xca\xfe\xba\xbe", "a program", _TEXT),
    (b"\x80\x02", "a Python pickle", _CONVERT),
    (b"\x80\x03", "a Python pickle", _CONVERT),
    (b"\x80\x04", "a Python pickle", _CONVERT),
    (b"\x80\x05", "a Python pickle", _CONVERT),
)
_MARKUP = re.compile(rb"<(?:!doctype|\?xml|html|!--|svg|head|body)[\s>\-?]", re.IGNORECASE)
_TAG = re.compile(rb"<[A-Za-z_][^<>\n,;\t|]*>")
_DATABASE = (8, b"DUCK", "a DuckDB database", "Export its tables as Parquet or CSV.")
_TAR = (257, b"ustar", "a tar archive", _UNPACK)


def foreign(head: bytes) -> tuple[str, str] | None:
    """(what it is, what to do) if the file that begins with `head` has a format that is known and not read.

    Words that texts may begin with, too, count only where bytes follow that are in no text."""
    for mark, kind, hint in _MARKS:
        if head.startswith(mark) and not (mark.isascii() and b"\x00" not in mark and is_text(head)):
            return _office(head, kind, hint)
    for place, mark, kind, hint in (_DATABASE, _TAR):
        if head[place : place + len(mark)] == mark and not is_text(head):
            return kind, hint
    return None


def _office(head: bytes, kind: str, hint: str) -> tuple[str, str]:
    """Workbooks and documents are ZIP archives inside."""
    if not head.startswith(b"PK"):
        return kind, hint
    if b"xl/" in head or b"opendocument.spreadsheet" in head:
        return "an Excel or OpenDocument workbook", _SHEET
    if b"[Content_Types].xml" in head or b"word/" in head or b"opendocument" in head:
        return "an Office document", _SHEET
    return kind, hint


def markup(text: bytes) -> bool:
    """Whether a text is HTML or XML, and not a table whose first column's name begins with `<`."""
    return bool(_MARKUP.match(text)) or (bool(_TAG.match(text)) and (b"</" in text or b"/>" in text))


def is_text(head: bytes) -> bool:
    """Whether these first bytes can be text of UTF-8 or an older encoding: no control characters but spaces."""
    return not head.translate(None, _PRINTED)


_PRINTED = bytes(code for code in range(256) if code >= 32 or code in b"\t\n\r\f\x1a\x1b")

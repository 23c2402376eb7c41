"""Which format a file has: its first bytes decide, its name must not contradict them."""

from __future__ import annotations

import codecs
from pathlib import PurePosixPath
from typing import IO, Literal

from pydantic import BaseModel

from jobdeck.connectors.errors import FileDamaged, FormatUnknown
from jobdeck.connectors.files.config import FormatName
from jobdeck.connectors.files.streams import EXTENSIONS, MAGIC, Compression, unpacked

Format = Literal["parquet", "csv", "json", "jsonl", "numpy"]
BY_NAME: dict[str, Format] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".txt": "csv",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".npy": "numpy",
    ".npz": "numpy",
}
BOMS = {
    b"\xef\xbb\xbf": "utf-8",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
PEEK = 64 * 1024
_FOREIGN = {
    b"PK\x03\x04": "a ZIP archive (or a spreadsheet)",
    b"ORC": "an ORC file",
    b"Obj\x01": "an Avro file",
    b"ARROW1": "an Arrow file",
    b"%PDF": "a PDF document",
    b"\xd0\xcf\x11\xe0": "an old spreadsheet",
    b"7z\xbc\xaf": "a 7z archive",
    b"\xfd7zXZ": "an xz archive",
    b"SQLite format 3": "an SQLite database",
    b"<": "HTML or XML",
}


class Detected(BaseModel):
    """Format and wrapping of a file. `bom`: bytes of a UTF-8 byte order mark; `encoding`: what another mark says."""

    format: Format
    compression: Compression = ""
    bom: int = 0
    encoding: str = ""


def detect(
    raw: IO[bytes], filename: str, size: int, asked: FormatName, name: str, encoding: str | None = None
) -> Detected:
    """Look at the first bytes of `raw`. Raises FormatUnknown when they contradict the name or what was asked for."""
    if size == 0:
        return _empty(filename, asked, name)
    head = raw.read(PEEK)
    raw.seek(0)
    compression: Compression = next((kind for mark, kind in MAGIC.items() if head.startswith(mark)), "")
    path = PurePosixPath(filename.lower())
    packed = EXTENSIONS.get(path.suffix, "")
    if packed:
        path = path.with_suffix("")
    if packed != compression and packed:
        raise FormatUnknown(
            f"{name} is called {packed} and is not.", hint="It may be truncated or have the wrong name."
        )
    if compression:
        head = unpacked(raw, compression, size, name).read(PEEK)
    looks = _looks(_decoded(head, encoding), path.suffix, name, asked)
    chosen = _agreed(looks, BY_NAME.get(path.suffix), asked, name, path.suffix)
    if compression and chosen in ("parquet", "numpy"):
        raise FormatUnknown(f"{name}: {chosen} files are not read packed.", hint="Unpack it; Parquet is packed inside.")
    mark = next((m for m in BOMS if head.startswith(m)), b"")
    encoding = BOMS.get(mark, "")
    if encoding == "utf-8":
        return Detected(format=chosen, compression=compression, bom=len(mark))
    return Detected(format=chosen, compression=compression, encoding=encoding)


def _decoded(head: bytes, encoding: str | None) -> bytes:
    """Text in the encoding that CSV files were said to have, as UTF-8; other bytes as they are."""
    if not encoding or any(head.startswith(mark) for mark in (b"PAR1", b"\x93NUMPY", b"PK", *BOMS)):
        return head
    try:
        return codecs.getincrementaldecoder(encoding)("replace").decode(head).encode("utf-8", "replace")
    except UnicodeError:  # UTF-16 and UTF-32 of no said order begin with a mark
        return head


def _empty(filename: str, asked: FormatName, name: str) -> Detected:
    found = asked if asked != "auto" else BY_NAME.get(PurePosixPath(filename.lower()).suffix, "csv")
    if found == "jsonl":
        return Detected(format="jsonl")
    raise FileDamaged(f"{name} is empty.", hint="A CSV file needs at least a header; leave empty files out.")


def _looks(head: bytes, suffix: str, name: str, asked: FormatName) -> Format:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK") and (suffix == ".npz" or asked == "numpy")):
        return "numpy"
    for mark, kind in _FOREIGN.items():
        if head.startswith(mark) and not (mark == b"<" and asked == "csv"):
            raise FormatUnknown(
                f"{name} is {kind}; that is not read.", hint="Parquet, CSV, JSON, JSON Lines and NumPy are."
            )
    called_text = asked == "csv" or BY_NAME.get(suffix) == "csv"
    if not any(head.startswith(mark) for mark in BOMS) and _binary(head, called_text):
        raise FormatUnknown(
            f"{name} is neither text nor a known format.",
            hint="If it is CSV in UTF-16 without a byte order mark, set csv.encoding to utf-16-le or utf-16-be.",
        )
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"{"):
        return "jsonl"
    return "json" if text.startswith(b"[") else "csv"


def _binary(head: bytes, called_text: bool) -> bool:
    """NUL is no text, but a few of them in what is called CSV are values that somebody wrote."""
    return b"\0" in head and not (called_text and head.count(b"\0") * 4 < len(head))


def _agreed(looks: Format, named: Format | None, asked: FormatName, name: str, suffix: str) -> Format:
    """Bytes of binary formats cannot be argued with; among texts, what was asked or named counts."""
    if asked == "auto" and suffix in (".txt", ""):
        named = None
    wanted: Format = asked if asked != "auto" else (named or looks)
    if wanted == looks:
        return wanted
    if {wanted, looks} <= {"json", "jsonl"}:
        return looks
    if wanted == "csv" and looks in ("json", "jsonl"):
        return wanted
    source = "was to be read as" if asked != "auto" else "is called"
    raise FormatUnknown(
        f"{name} {source} {wanted} and is not: it looks like {looks}.",
        hint=f"Give format={looks} if that is what it is.",
    )

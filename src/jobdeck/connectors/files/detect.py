"""Which format a file has: its first bytes decide, its name must not contradict them."""

from __future__ import annotations

import codecs
import json
import re
from pathlib import PurePosixPath
from typing import IO, Literal

from pydantic import BaseModel

from jobdeck.connectors.errors import FileDamaged, FormatUnknown
from jobdeck.connectors.files.config import FormatName
from jobdeck.connectors.files.foreign import foreign, markup
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
_UNMARKED = (
    ("utf-32-le", re.compile(rb"(?:[^\0]\0\0\0){2}")),
    ("utf-32-be", re.compile(rb"(?:\0\0\0[^\0]){2}")),
    ("utf-16-le", re.compile(rb"(?:[^\0]\0){2}")),
    ("utf-16-be", re.compile(rb"(?:\0[^\0]){2}")),
)
"""How a text begins in encodings of two or four bytes without a byte order mark."""
_SHOWN = 24


class Detected(BaseModel):
    """Format and wrapping of a file. `bom`: bytes of a UTF-8 byte order mark; `encoding`: what another mark says."""

    format: Format
    compression: Compression = ""
    bom: int = 0
    encoding: str = ""


def detect(
    raw: IO[bytes], filename: str, size: int, asked: FormatName, name: str, encoding: str | None = None
) -> Detected:
    """Look at the first bytes of `raw`. Raises FormatUnknown when they contradict the name or what was asked for.

    `encoding`: what the texts are said to be in."""
    path = PurePosixPath(filename.lower())
    packed = EXTENSIONS.get(path.suffix, "")
    if path.suffix == ".tgz":
        path = path.with_suffix(".tar")
    elif packed:
        path = path.with_suffix("")
    head = raw.read(PEEK)
    raw.seek(0)
    if not head:
        return _empty(path.suffix, asked, name)
    compression: Compression = next((kind for mark, kind in MAGIC.items() if head.startswith(mark)), "")
    if packed != compression and packed:
        raise FormatUnknown(
            f"{name} is called {packed} and is not.", hint="It may be truncated or have the wrong name."
        )
    if compression:
        head = unpacked(raw, compression, size, name).read(PEEK)
        if any(head.startswith(mark) for mark in MAGIC):
            raise FormatUnknown(f"{name} is packed twice.", hint="Unpack it once.")
    found = _unpacked(head, path.suffix, asked, name, encoding)
    if compression and found.format in ("parquet", "numpy"):
        raise FormatUnknown(
            f"{name}: {found.format} files are not read packed.", hint="Unpack it; Parquet is packed inside."
        )
    return found.model_copy(update={"compression": compression})


def _unpacked(head: bytes, suffix: str, asked: FormatName, name: str, encoding: str | None) -> Detected:
    binary = _binary(head, suffix, asked)
    if binary is not None:
        return Detected(format=_agreed(binary, suffix, asked, name, head))
    mark = next((m for m in BOMS if head.startswith(m)), b"")
    if not mark and encoding and codecs.lookup(encoding).name in ("utf-16", "utf-32"):
        encoding = None  # These say the order of their bytes by a mark.
    found = BOMS.get(mark, "") or _unmarked(head)
    if not found or (encoding and not mark):
        called_text = asked == "csv" or BY_NAME.get(suffix) == "csv"
        _refuse_foreign(head, name, readable=bool(encoding) or (called_text and head.count(b"\0") * 4 < len(head)))
    text = _decoded(head[len(mark) :], (encoding if not mark else "") or found)
    if not text.strip("\ufeff"):
        return _empty(suffix, asked, name)
    chosen = _agreed(_looks(text, asked, name), suffix, asked, name, text.encode("utf-8", "replace"))
    if not mark and found and chosen == "csv" and not encoding:
        raise FormatUnknown(
            f"{name} is neither text in UTF-8 nor a known format: it seems to be {found} without a byte order mark.",
            hint=f"If it is, set csv.encoding to {found}.",
        )
    if found == "utf-8":
        return Detected(format=chosen, bom=0 if chosen == "json" else len(mark))
    return Detected(format=chosen, encoding=found if mark or chosen != "csv" else "")


def _empty(suffix: str, asked: FormatName, name: str) -> Detected:
    wanted = asked if asked != "auto" else BY_NAME.get(suffix, "csv")
    if wanted == "jsonl":
        return Detected(format="jsonl")
    if wanted != "csv":
        raise FileDamaged(f"{name} is empty: it is no {wanted} file.", hint="Leave empty files out.")
    raise FileDamaged(
        f"{name} is empty: it has no header and no rows.",
        hint="A CSV file needs at least a header; leave empty files out.",
    )


def _binary(head: bytes, suffix: str, asked: FormatName) -> Format | None:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\x93NUMPY") or (head.startswith(b"PK") and (suffix == ".npz" or asked == "numpy")):
        return "numpy"
    return None


def _unmarked(head: bytes) -> str:
    if b"\0" not in head[:8]:
        return ""
    return next((name for name, pattern in _UNMARKED if pattern.match(head)), "")


def _decoded(head: bytes, encoding: str) -> str:
    """The first characters, without what the end of `head` cuts; they are checked when they are read."""
    try:
        return head.decode(encoding or "utf-8", "ignore" if encoding.startswith("utf") else "replace")
    except UnicodeError:  # UTF-16 and UTF-32 of no said order begin with a mark
        return head.decode("latin-1")


def _refuse_foreign(head: bytes, name: str, *, readable: bool) -> None:
    """`readable`: NUL characters, if there are any, are values that somebody wrote, or part of an encoding."""
    known = foreign(head)
    if known is not None:
        raise FormatUnknown(f"{name} is {known[0]}; that is not read.", hint=known[1])
    place = head.find(b"\0")
    if place >= 0 and not readable:
        line = head.count(b"\n", 0, place) + 1
        raise FormatUnknown(
            f"{name} is neither text nor a known format: there is a NUL character in line {line} (byte {place + 1}).",
            hint="Take NUL characters out of a text; for an encoding of two bytes a character set csv.encoding.",
        )


def _looks(text: str, asked: FormatName, name: str) -> Format:
    body = text.lstrip("\ufeff \t\r\n")
    if asked == "auto" and markup(body.encode("utf-8", "replace")):
        raise FormatUnknown(
            f"{name} is HTML or XML; that is not read.",
            hint="If it is a CSV file that begins like this, give format=csv; else save the data as CSV or JSON.",
        )
    if body.startswith("{"):
        return _objects(body, whole=len(text) < PEEK // 4)
    return "json" if body.startswith("[") else "csv"


def _objects(body: str, *, whole: bool) -> Format:
    """Whether objects stand one a line, or reach over lines or stand beside each other (`json`)."""
    try:
        end = json.JSONDecoder(parse_int=str, parse_float=str).raw_decode(body)[1]
    except json.JSONDecodeError as error:
        cut = error.pos >= len(body.rstrip()) - 16 or error.msg.startswith("Unterminated")
        return "json" if cut and not whole and "\n" in body else "jsonl"
    except RecursionError:
        return "jsonl"
    rest = body[end:].lstrip(" \t\r")
    return "json" if "\n" in body[:end] or rest.startswith("{") else "jsonl"


def _agreed(looks: Format, suffix: str, asked: FormatName, name: str, head: bytes) -> Format:
    """Bytes of binary formats cannot be argued with; among texts, what was asked or named counts."""
    named = None if asked == "auto" and suffix in (".txt", "") else BY_NAME.get(suffix)
    wanted: Format = asked if asked != "auto" else (named or looks)
    if wanted == looks:
        return wanted
    if {wanted, looks} <= {"json", "jsonl"}:
        return looks
    if wanted == "csv" and looks in ("json", "jsonl"):
        return wanted
    source = "was to be read as" if asked != "auto" else "is called"
    if wanted == "jsonl" and not head.strip():
        return wanted
    if wanted in ("json", "jsonl") and looks == "csv":
        shown = head.lstrip()[:_SHOWN].decode("utf-8", "replace")
        raise FormatUnknown(
            f"{name} {source} {wanted} and is not: it begins with {shown!r}, and looks like csv.",
            hint="JSON begins with an object or an array of objects; give format=csv if it is CSV.",
        )
    raise FormatUnknown(
        f"{name} {source} {wanted} and is not: it looks like {looks}.",
        hint=f"Give format={looks} if that is what it is.",
    )

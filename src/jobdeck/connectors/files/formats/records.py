"""Cuts streams into blocks of whole records, so that blocks can be read apart from each other, from any cut on."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, NoReturn, Protocol

import numpy as np

from jobdeck.connectors.errors import FileDamaged, TooBigToRead

BLOCK = 2 * 1024 * 1024
"""Bytes of text that are read, parsed and sent on together."""
MAX_RECORD = 16 * 1024 * 1024
_NEWLINE = 10


@dataclass(frozen=True, slots=True)
class Block:
    """Whole records."""

    data: bytes
    start: int
    """Byte of the (unpacked) stream at which they begin."""
    end: int


class Cutter(Protocol):
    """Finds where records end."""

    def cut(self, data: bytes) -> int:
        """How many bytes of `data`, which begins with a record, are whole records."""
        ...

    def check_end(self, data: bytes, name: str) -> None:
        """Raise FileDamaged when `data`, the rest of the stream, cannot be a whole record."""
        ...


class LineRecordCutter:
    """One record a line: JSON Lines, and (`universal`) CSV without quotes, whose lines may end with CR alone."""

    def __init__(self, *, universal: bool = False) -> None:
        self._universal = universal

    def cut(self, data: bytes) -> int:
        return (_Ends(data).before(len(data)) if self._universal else data.rfind(b"\n")) + 1

    def check_end(self, data: bytes, name: str) -> None:
        return None


class _Ends:
    """Finds line ends from the back: LF, CRLF and CR. A CR at the very end may be half of a CRLF and is none yet."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._cr = data.rfind(b"\r", 0, max(0, len(data) - 1))

    def before(self, stop: int) -> int:
        """The last byte before `stop` with which a line ends, or -1."""
        while self._cr >= 0 and (self._cr >= stop or (self._cr + 1 == stop and self._data[stop : stop + 1] == b"\n")):
            self._cr = self._data.rfind(b"\r", 0, self._cr)
        lf = self._data.rfind(b"\n", 0, stop)
        if self._cr > lf and self._data[self._cr + 1 : self._cr + 2] != b"\n":
            return self._cr
        return lf


def line_count(data: bytes) -> int:
    """How many lines end in `data`: with LF, CRLF or CR."""
    return data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")


class QuoteCutter:
    """CSV whose quotes pair up (see `regular`): a line end ends a record where the quotes before it are even."""

    def __init__(self, quote: str) -> None:
        self._quote = quote.encode()

    def cut(self, data: bytes) -> int:
        ends = _Ends(data)
        at = ends.before(len(data))
        odd = data.count(self._quote, 0, max(0, at)) % 2
        while at >= 0 and odd:
            before = ends.before(at)
            odd = (odd + data.count(self._quote, max(0, before), at)) % 2
            at = before
        return at + 1

    def check_end(self, data: bytes, name: str) -> None:
        if data.count(self._quote) % 2:
            raise IrregularQuotes(name)


class ScanCutter:
    """CSV with stray quotes or escapes: a quote opens a field at its beginning and nowhere else, as for the reader."""

    def __init__(self, delimiter: str, quote: str, escape: str | None) -> None:
        self._field = re.compile(quoted_field(delimiter, quote, escape), re.DOTALL)

    def cut(self, data: bytes) -> int:
        spans = [match.span() for match in self._field.finditer(data) if b"\n" in match[0] or b"\r" in match[0]]
        ends = _Ends(data)
        at = ends.before(len(data))
        for start, end in reversed(spans):
            if at >= end:
                break
            if at > start:
                at = ends.before(start)
        return at + 1

    def check_end(self, data: bytes, name: str) -> None:
        for match in self._field.finditer(data):
            if match["end"] is None:
                text = data[match.start() : match.start() + 40].decode("utf-8", "replace")
                raise FileDamaged(
                    f"{name} ends inside a quoted field that begins with {text!r}.",
                    hint="The file is truncated, or a quote is missing; csv.quote=null if quotes mean nothing in it.",
                )


def quoted_field(delimiter: str, quote: str, escape: str | None) -> bytes:
    """A pattern of a field in quotes; its group `end` is the closing quote, if there is one."""
    q, d = re.escape(quote.encode()), re.escape(delimiter.encode())
    inner = rb"[^%b]|%b%b" % (q, q, q)
    if escape:
        e = re.escape(escape.encode())
        inner = rb"[^%b%b]|%b.|%b%b" % (q, e, e, q, q)
    return rb"(?:\A|(?<=[\r\n%b]))%b(?:%b)*+(?P<end>%b)?" % (d, q, inner, q)


class IrregularQuotes(Exception):
    """The quotes of a file do not pair up as QuoteCutter needs it; ScanCutter must be used."""


def regular(data: bytes, delimiter: str, quote: str) -> bool:
    """Whether each quote of these records opens a field, closes one, or is half of a doubled one."""
    raw = np.frombuffer(data, np.uint8)
    mark = ord(quote)
    places = np.flatnonzero(raw == mark)
    if not len(places):
        return True
    if len(places) % 2:
        return False
    edges = np.array([ord(delimiter), 10, 13, mark], np.uint8)
    opens, closes = places[0::2], places[1::2]
    before = raw[opens[opens > 0] - 1]
    after = raw[closes[closes < len(raw) - 1] + 1]
    return bool(np.isin(before, edges).all() and np.isin(after, edges).all())


CSV_HINT = "The file may not be what it seems, or a quote is not closed; see csv.quote and csv.delimiter."
JSON_HINT = "One object is one row; where the rows are inside of an object, take them out of it."


def blocks(
    stream: IO[bytes],
    cutter: Cutter,
    start: int,
    end: int | None,
    name: str,
    size: int = 0,
    line: int | None = 1,
    hint: str = CSV_HINT,
) -> Iterator[Block]:
    """Blocks of about `size` bytes of `stream`, which stands at `start`, up to `end` (None: to its end).

    `line` is the line of the file at `start`, None where lines are not the file's. Raises TooBigToRead.

    The cuts depend on `start` and `size` only, so that a second reading from any cut gives the same blocks."""
    size = size or BLOCK
    rest, at = b"", start
    while True:
        # Twice as much where no record has ended, so that a long one is not looked through again and again.
        room = size - len(rest) if len(rest) < size else min(len(rest), max(1, MAX_RECORD + 1 - len(rest)))
        if end is not None:
            room = min(room, end - at - len(rest))
        data = stream.read(room) if room > 0 else b""
        rest += data
        if not data:
            break
        if len(rest) < size:
            continue
        whole = cutter.cut(rest)
        if whole:
            yield Block(rest[:whole], at, at + whole)
            line = None if line is None else line + rest.count(b"\n", 0, whole)
            rest, at = rest[whole:], at + whole
        elif len(rest) > MAX_RECORD:
            _too_long(name, line, at, hint)
    if rest:
        cutter.check_end(rest, name)
        if len(rest) > MAX_RECORD and not cutter.cut(rest):
            _too_long(name, line, at, hint)
        yield Block(rest, at, at + len(rest))


def _too_long(name: str, line: int | None, at: int, hint: str) -> NoReturn:
    where = f"from line {line} on" if line is not None else f"from byte {at} of its text on"
    raise TooBigToRead(f"{name} has a row of more than {MAX_RECORD} bytes {where}.", hint=hint)

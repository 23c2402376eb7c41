"""How one CSV file is written: delimiter and header, found from its beginning."""

from __future__ import annotations

import csv
import itertools
import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel

from jobdeck.connectors.columns import MAX_COLUMNS
from jobdeck.connectors.errors import BadEncoding, BadHeader, FileDamaged, TooBigToRead, TooManyColumns
from jobdeck.connectors.files.config import CsvOptions

if TYPE_CHECKING:
    import _csv

CANDIDATES = ",;\t|"
SAMPLE_ROWS = 100
MARK = "\ufeff"
"""The byte order mark, as text."""
_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)


class Dialect(BaseModel):
    """Everything needed to read any slice of the file by itself. `data_start`/`first_line`: where the rows begin."""

    delimiter: str
    quote: str | None
    escape: str | None
    names: list[str]
    data_start: int = 0
    first_line: int = 1
    header: bool = True
    ends_with_cr: bool = False
    """The header does, and nothing follows it."""
    regular: bool = True
    """All quotes pair up, so that the cheap rule finds the ends of records."""


def lines_of(text: str) -> Iterator[str]:
    """The lines with their ends: LF, CRLF or CR."""
    return (match[0] for match in _LINE.finditer(text))


class _Lines:
    """Feeds lines to the csv module and counts what it took."""

    def __init__(self, text: str) -> None:
        self._lines = lines_of(text)
        self.taken = 0
        self.count = 0
        self.last = ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        self.last = next(self._lines)
        self.taken += len(self.last.encode())
        self.count += 1
        return self.last


def find_dialect(head: bytes, bom: int, whole: bool, options: CsvOptions, name: str) -> Dialect:
    """`head` is the beginning of the (unpacked, UTF-8) file, all of it if `whole`. Raises BadHeader and others."""
    text = _text(head[bom:], whole, name)
    if text.startswith(MARK):
        text, bom = text.removeprefix(MARK), bom + len(MARK.encode())
    told, above = _above_header(text, options)
    skipped = sum(len(line.encode()) for line in itertools.islice(lines_of(text), above))
    body = text.encode()[skipped:].decode()
    if above and body.startswith(MARK):  # lines were put above a file that began with a mark
        body, skipped = body.removeprefix(MARK), skipped + len(MARK.encode())
    delimiter = options.delimiter or told or _sniff(body, options)
    lines = _Lines(body)
    first = _row(lines, delimiter, options, name)
    while first == [] and body:
        first = _row(lines, delimiter, options, name)
    if first is None or (options.header and not any(cell.strip() for cell in first)):
        raise FileDamaged(f"{name} has no header and no rows.", hint="Leave empty files out.")
    if len(first) > MAX_COLUMNS:
        more = "" if whole or lines.taken < len(body.encode()) else "more than "
        raise TooManyColumns(
            f"{name} has {more}{len(first)} columns; {MAX_COLUMNS} are allowed.",
            hint="Check csv.delimiter; turn columns that are values into rows.",
        )
    if not whole and lines.taken >= len(body.encode()):
        raise TooBigToRead(
            f"The header of {name} (line {above + 1}) is longer than {len(head)} bytes.",
            hint="Check csv.quote and csv.delimiter.",
        )
    start = (bom + skipped + lines.taken) if options.header else bom + skipped
    return Dialect(
        delimiter=delimiter,
        quote=options.quote,
        escape=options.escape,
        names=column_names(first, name) if options.header else [f"column_{i + 1}" for i in range(len(first))],
        data_start=start,
        first_line=above + 1 + (lines.count if options.header else 0),
        header=options.header,
        ends_with_cr=options.header and lines.last.endswith("\r"),
    )


def _above_header(text: str, options: CsvOptions) -> tuple[str | None, int]:
    """The delimiter that a first line such as `sep=;` tells, as spreadsheets write it, and the lines to leave out."""
    first = next(lines_of(text), "")
    match = _SEPARATOR.fullmatch(first)
    told = match[1] if match and match[1].isascii() and match[1] != options.quote else None
    return told, max(options.skip_rows, 1) if told else options.skip_rows


def _text(data: bytes, whole: bool, name: str) -> str:
    try:
        text = data.decode("utf-8")
        return text if whole else text.removesuffix("\r")
    except UnicodeDecodeError as error:
        if not whole and error.start >= len(data) - 4:
            return _text(data[: error.start], whole, name)
        line = data.count(b"\n", 0, error.start) + 1
        raise BadEncoding(
            f"{name} is not UTF-8: byte {data[error.start]:#04x} in line {line}.", hint=ENCODING_HINT
        ) from error


ENCODING_HINT = "Set csv.encoding, for example to latin-1 or windows-1252."


def reader(lines: Iterator[str], delimiter: str, options: CsvOptions | Dialect) -> _csv.Reader:
    """The csv module's reader for such files, for fields of any length."""
    csv.field_size_limit(1 << 30)
    return csv.reader(
        lines,
        delimiter=delimiter,
        quotechar=options.quote or '"',
        quoting=csv.QUOTE_MINIMAL if options.quote else csv.QUOTE_NONE,
        escapechar=options.escape,
        doublequote=options.escape is None,
    )


def _row(lines: _Lines, delimiter: str, options: CsvOptions, name: str) -> list[str] | None:
    try:
        return next(reader(lines, delimiter, options), None)
    except csv.Error as error:
        raise FileDamaged(f"The first row of {name} cannot be read: {error}.") from error


def _sniff(text: str, options: CsvOptions) -> str:
    """The candidate that gives the most columns, in the most rows alike; a comma where nothing tells."""
    best, score = ",", (0.0, 1)
    for delimiter in CANDIDATES:
        try:
            rows = list(itertools.islice(reader(lines_of(text), delimiter, options), SAMPLE_ROWS))
        except csv.Error:
            continue
        widths = Counter(len(row) for row in rows[:-1] or rows if row)
        if not widths:
            continue
        width, often = widths.most_common(1)[0]
        found = (often / sum(widths.values()) if width > 1 else 0.0, width)
        if found > score:
            best, score = delimiter, found
    return best


def column_names(cells: list[str], name: str) -> list[str]:
    """Header cells as names: empty ones become `column_N`. Raises BadHeader for two of the same name."""
    names = [cell.strip() for cell in cells]
    taken = set(names)
    for index, column in enumerate(names):
        if not column:
            names[index] = free_name(index, taken)
    seen: dict[str, int] = {}
    for index, column in enumerate(names):
        if column in seen:
            raise BadHeader(
                f"{name} has two columns named '{column}' (the {seen[column]}. and the {index + 1}.).",
                hint="Rename one, or set csv.header=false and csv.skip_rows=1 and name them with `columns`.",
            )
        seen[column] = index + 1
    return names


def free_name(index: int, taken: set[str]) -> str:
    """The name of the column at `index` that has none, unlike all that are taken."""
    name = f"column_{index + 1}"
    while name in taken:
        name += "_"
    return name

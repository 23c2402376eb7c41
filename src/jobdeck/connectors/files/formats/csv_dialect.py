"""How one CSV file is written: delimiter and header, found from its beginning."""

from __future__ import annotations

import csv
import itertools
from collections import Counter
from collections.abc import Iterator

from pydantic import BaseModel

from jobdeck.connectors.errors import BadEncoding, BadHeader, FileDamaged, TooBigToRead, TooManyColumns
from jobdeck.connectors.files.bounds import MAX_COLUMNS
from jobdeck.connectors.files.config import CsvOptions

CANDIDATES = ",;\t|"
SAMPLE_ROWS = 100


class Dialect(BaseModel):
    """Everything needed to read any slice of the file by itself. `data_start`/`first_line`: where the rows begin."""

    delimiter: str
    quote: str | None
    escape: str | None
    names: list[str]
    data_start: int = 0
    first_line: int = 1
    regular: bool = True
    """All quotes pair up, so that the cheap rule finds the ends of records."""


class _Lines:
    """Feeds lines to the csv module and counts what it took."""

    def __init__(self, text: str) -> None:
        self._lines = iter(text.splitlines(keepends=True)) if "\n" not in text else iter(_split(text))
        self.taken = 0
        self.count = 0

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = next(self._lines)
        self.taken += len(line.encode())
        self.count += 1
        return line


def _split(text: str) -> list[str]:
    return [line + "\n" for line in text.split("\n")[:-1]] + (
        [text.rsplit("\n", 1)[1]] if not text.endswith("\n") else []
    )


def find_dialect(head: bytes, bom: int, whole: bool, options: CsvOptions, name: str) -> Dialect:
    """`head` is the beginning of the (unpacked, UTF-8) file, all of it if `whole`. Raises BadHeader and others."""
    text = _text(head[bom:], whole, name)
    skipped = sum(len(line.encode()) for line in itertools.islice(_split(text), options.skip_rows))
    body = text.encode()[skipped:].decode()
    delimiter = options.delimiter or _sniff(body, options)
    lines = _Lines(body)
    first = _row(lines, delimiter, options, name)
    while first == [] and body:
        first = _row(lines, delimiter, options, name)
    if first is None or (options.header and not any(cell.strip() for cell in first)):
        raise FileDamaged(f"{name} has no header and no rows.", hint="Leave empty files out.")
    if not whole and lines.taken >= len(body.encode()):
        raise TooBigToRead(
            f"The header of {name} is longer than {len(head)} bytes.", hint="Check csv.quote and csv.delimiter."
        )
    start = (bom + skipped + lines.taken) if options.header else bom + skipped
    return Dialect(
        delimiter=delimiter,
        quote=options.quote,
        escape=options.escape,
        names=column_names(first, name) if options.header else [f"column_{i + 1}" for i in range(len(first))],
        data_start=start,
        first_line=options.skip_rows + 1 + (lines.count if options.header else 0),
    )


def _text(data: bytes, whole: bool, name: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        if not whole and error.start >= len(data) - 4:
            return data[: error.start].decode("utf-8")
        line = data.count(b"\n", 0, error.start) + 1
        raise BadEncoding(
            f"{name} is not UTF-8: byte {data[error.start]:#04x} in line {line}.", hint=ENCODING_HINT
        ) from error


ENCODING_HINT = "Set csv.encoding, for example to latin-1 or windows-1252."


def _reader(lines: Iterator[str], delimiter: str, options: CsvOptions) -> Iterator[list[str]]:
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
        return next(_reader(lines, delimiter, options), None)
    except csv.Error as error:
        raise FileDamaged(f"The first row of {name} cannot be read: {error}.") from error


def _sniff(text: str, options: CsvOptions) -> str:
    """The candidate that gives the most columns, in the most rows alike; a comma where nothing tells."""
    best, score = ",", (0.0, 1)
    for delimiter in CANDIDATES:
        try:
            rows = list(itertools.islice(_reader(iter(_split(text)), delimiter, options), SAMPLE_ROWS))
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
    if len(cells) > MAX_COLUMNS:
        raise TooManyColumns(f"{name} has {len(cells)} columns; {MAX_COLUMNS} are allowed.")
    names = [cell.strip() or f"column_{index + 1}" for index, cell in enumerate(cells)]
    seen: dict[str, int] = {}
    for index, column in enumerate(names):
        if column in seen:
            raise BadHeader(
                f"{name} has two columns named '{column}' (the {seen[column]}. and the {index + 1}.).",
                hint="Rename one, or set csv.header=false and csv.skip_rows=1 and name them with `columns`.",
            )
        seen[column] = index + 1
    return names

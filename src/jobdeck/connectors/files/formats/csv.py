"""Reads CSV: a first pass over the whole file for structure and types, then any slice by itself."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from contextlib import suppress
from typing import IO

import pyarrow as pa
import pyarrow.csv as pacsv

from jobdeck.connectors.base import Reject
from jobdeck.connectors.errors import BadEncoding, FileDamaged
from jobdeck.connectors.files.config import CsvOptions
from jobdeck.connectors.files.formats import records
from jobdeck.connectors.files.formats.csv_dialect import ENCODING_HINT, MARK, Dialect, find_dialect, lines_of, reader
from jobdeck.connectors.files.formats.records import (
    Block,
    Cutter,
    IrregularQuotes,
    LineRecordCutter,
    QuoteCutter,
    ScanCutter,
)
from jobdeck.connectors.files.formats.rows import LONGEST_VALUE, Raw
from jobdeck.connectors.words import TextRule, parsed
from jobdeck.core.values import clip

HEAD = 1 << 20


def text_rule(options: CsvOptions) -> TextRule:
    """How words become values."""
    return TextRule(tuple(options.null_values), options.decimal_point, options.strings_can_be_null)


def dialect_of(stream: IO[bytes], bom: int, options: CsvOptions, name: str) -> Dialect:
    """Read the beginning of a fresh `stream`. Raises BadHeader, BadEncoding, FileDamaged."""
    head = stream.read(HEAD)
    return find_dialect(head, bom, len(head) < HEAD, options, name)


def cutter_for(dialect: Dialect) -> Cutter:
    """What finds the ends of this file's records, the cheapest that is right."""
    if dialect.quote is None:
        return LineRecordCutter(universal=True)
    if dialect.regular and dialect.escape is None:
        return QuoteCutter(dialect.quote)
    return ScanCutter(dialect.delimiter, dialect.quote, dialect.escape)


def check_regular(block: Block, dialect: Dialect, name: str) -> None:
    """Raises IrregularQuotes when this block shows that the cheap cuts may be wrong for this file."""
    cheap = dialect.quote is not None and dialect.regular and dialect.escape is None
    if cheap and not records.regular(block.data, dialect.delimiter, str(dialect.quote)):
        raise IrregularQuotes(name)


def parse_block(block: Block, dialect: Dialect, options: CsvOptions, name: str, first_row: int, first_line: int) -> Raw:
    """The block's rows as text columns. Raises BadEncoding, FileDamaged."""
    _check_text(block, name, first_line)
    ragged: list[pacsv.InvalidRow] = []

    def note(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "skip"

    data, notes = _without_marks(block.data, dialect, name, first_line)
    data = _with_null_words(data, dialect, options)
    # Arrow takes one mark at the beginning of what it is given for no part of the first value.
    data = MARK.encode() + data if data.startswith(MARK.encode()) else data
    try:
        table = pacsv.read_csv(pa.BufferReader(data), *_options(len(data), dialect, options, note))
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            raise FileDamaged(f"{name} cannot be read as CSV after line {first_line - 1}: {error}.") from error
        table = pa.table({column: pa.array([], pa.string()) for column in dialect.names})
    batch = _one_batch(table)
    skipped = {row.number - 1 for row in ragged}
    numbers = _numbers(first_row, batch.num_rows, skipped)
    lines = _LineFinder(block, dialect, first_line)
    rejects = [_ragged(row, name, first_row, lines) for row in ragged]
    places = range(batch.num_rows) if not skipped else [n - first_row for n in numbers]
    return Raw(batch, numbers, lambda place: lines.of(places[place]), rejects, notes)


def _check_text(block: Block, name: str, first_line: int) -> None:
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + records.line_count(block.data[: error.start])
        raise BadEncoding(
            f"{name} is not UTF-8: byte {block.data[error.start]:#04x} in line {line}.", hint=ENCODING_HINT
        ) from error


def _options(
    size: int, dialect: Dialect, options: CsvOptions, note: object
) -> tuple[pacsv.ReadOptions, pacsv.ParseOptions, pacsv.ConvertOptions]:
    return (
        pacsv.ReadOptions(column_names=dialect.names, use_threads=False, block_size=size + 1),
        pacsv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char=dialect.quote or False,
            double_quote=dialect.escape is None,
            escape_char=dialect.escape or False,
            newlines_in_values=dialect.quote is not None,
            ignore_empty_lines=len(dialect.names) > 1,
            invalid_row_handler=note,
        ),
        pacsv.ConvertOptions(
            check_utf8=False,
            column_types={column: pa.string() for column in dialect.names},
            null_values=list(options.null_values) if options.strings_can_be_null else [],
            strings_can_be_null=options.strings_can_be_null,
            quoted_strings_can_be_null=False,
        ),
    )


def _with_null_words(data: bytes, dialect: Dialect, options: CsvOptions) -> bytes:
    r"""Null words such as \N that begin with the escape character, escaped, so that the reader leaves them as they are.

    Only where such a word is a whole field, and not in quotes."""
    escape = dialect.escape
    words = [word.encode() for word in options.null_values if escape and word.startswith(escape) and len(word) > 1]
    if not escape or not any(word in data for word in words):
        return data
    edge = rb"\r\n" + re.escape(dialect.delimiter.encode())
    field = rb"(?:\A|(?<=[%b]))(?P<word>%b)(?=[%b]|\Z)" % (edge, b"|".join(map(re.escape, words)), edge)
    quoted = records.quoted_field(dialect.delimiter, dialect.quote, escape) + rb"|" if dialect.quote else b""
    pattern = re.compile(quoted + field, re.DOTALL)
    mark = escape.encode()
    return pattern.sub(lambda match: mark + match[0] if match["word"] is not None else match[0], data)


def _without_marks(data: bytes, dialect: Dialect, name: str, first_line: int) -> tuple[bytes, list[str]]:
    """`data` without byte order marks at the beginning of rows, as where files were joined, and what to tell of them.

    A field that is nothing but such marks is a value. Raises FileDamaged where a quote follows: the cuts took it for a
    part of the value."""
    mark = MARK.encode()
    if mark not in data:
        return data, []
    quoted = records.quoted_field(dialect.delimiter, dialect.quote, dialect.escape) + rb"|" if dialect.quote else b""
    edge = rb"\r\n" + re.escape(dialect.delimiter.encode())
    alone = rb"(?:\A|(?<=[\r\n]))(?P<mark>(?:%b)++)(?![%b]|\Z)" % (mark, edge)
    pattern = re.compile(quoted + alone, re.DOTALL)
    found = [match.span("mark") for match in pattern.finditer(data) if match["mark"] is not None]
    if not found:
        return data, []
    line = first_line + records.line_count(data[: found[0][0]])
    told = f"Line {line} of {name} begins with a byte order mark, as where files were joined"
    if dialect.quote and any(data.startswith(dialect.quote.encode(), end) for _, end in found):
        raise FileDamaged(f"{told}, and a quoted field behind it.", hint="Take the marks out.")
    ends = [0, *(end for _, end in found)]
    starts = [*(start for start, _ in found), len(data)]
    return b"".join(data[end:start] for end, start in zip(ends, starts, strict=True)), [f"{told}; it was left out."]


def lone_cr(data: bytes, dialect: Dialect) -> int | None:
    """How many lines end before the first CR that no LF follows and that is not in quotes."""
    quote, odd, before = (dialect.quote or "").encode(), 0, 0
    for match in re.finditer(rb"\r(?!\n)", data) if b"\r" in data else ():
        odd = (odd + (data.count(quote, before, match.start()) if quote else 0)) % 2
        before = match.start()
        if not odd:
            return records.line_count(data[:before])
    return None


def header_note(dialect: Dialect, kinds: list[pa.DataType], options: CsvOptions, name: str) -> str | None:
    """What to tell when the first row looks like the rows below it: all columns that are no text have such names."""
    pairs = [pair for pair in zip(dialect.names, kinds, strict=True) if pair[1] not in (pa.null(), pa.string())]
    rule = text_rule(options)
    if not dialect.header or not pairs or not all(_reads(word, kind, rule) for word, kind in pairs):
        return None
    row = clip(dialect.delimiter.join(dialect.names), LONGEST_VALUE)
    return (
        f"The first row of {name} was taken for the header, and looks like data: {row}. "
        "If it is data, give csv.header=false; it is then loaded, too."
    )


def _reads(word: str, kind: pa.DataType, rule: TextRule) -> bool:
    found = parsed(pa.array([word]), kind, rule)
    return found.wrong is None and not found.values.null_count


def _one_batch(table: pa.Table) -> pa.RecordBatch:
    batches = table.combine_chunks().to_batches()
    return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=table.schema)


def _numbers(first_row: int, kept: int, skipped: set[int]) -> range | list[int]:
    total = kept + len(skipped)
    if not skipped:
        return range(first_row, first_row + total)
    return [first_row + index for index in range(total) if index not in skipped]


def _ragged(row: pacsv.InvalidRow, name: str, first_row: int, lines: _LineFinder) -> Reject:
    reason = f"a row of {row.actual_columns} fields where the header has {row.expected_columns}"
    return Reject(
        name, first_row + row.number - 1, None, clip(row.text, LONGEST_VALUE), reason, lines.of(row.number - 1)
    )


class _LineFinder:
    """Finds the lines of single rows of a block; only asked when something is wrong."""

    def __init__(self, block: Block, dialect: Dialect, first_line: int) -> None:
        self._block, self._dialect, self._first = block, dialect, first_line
        self._lines: list[int] | None = None

    def of(self, index: int) -> int | None:
        if self._lines is None:
            self._lines = []
            with suppress(csv.Error):
                self._lines.extend(self._scan())
        return self._lines[index] if index < len(self._lines) else None

    def _scan(self) -> Iterator[int]:
        dialect = self._dialect
        rows = reader(lines_of(self._block.data.decode("utf-8", "replace")), dialect.delimiter, dialect)
        before = 0
        for row in rows:
            if row or len(dialect.names) == 1:
                yield self._first + before
            before = rows.line_num

"""Reads CSV: a first pass over the whole file for structure and types, then any slice by itself."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import IO

import pyarrow as pa
import pyarrow.csv as pacsv

from jobdeck.connectors.base import Reject
from jobdeck.connectors.errors import BadEncoding, FileDamaged
from jobdeck.connectors.files.config import CsvOptions
from jobdeck.connectors.files.formats import records
from jobdeck.connectors.files.formats.csv_dialect import ENCODING_HINT, Dialect, find_dialect
from jobdeck.connectors.files.formats.records import Block, Cutter, IrregularQuotes, LineCutter, QuoteCutter, ScanCutter
from jobdeck.connectors.files.formats.rows import LONGEST_VALUE, Raw
from jobdeck.connectors.words import TextRule
from jobdeck.core.values import clip

HEAD = 1 << 20


def text_rule(options: CsvOptions) -> TextRule:
    """How words become values."""
    return TextRule(tuple(options.null_values), options.decimal_point)


def dialect_of(stream: IO[bytes], bom: int, options: CsvOptions, name: str) -> Dialect:
    """Read the beginning of a fresh `stream`. Raises BadHeader, BadEncoding, FileDamaged."""
    head = stream.read(HEAD)
    return find_dialect(head, bom, len(head) < HEAD, options, name)


def cutter_for(dialect: Dialect) -> Cutter:
    """What finds the ends of this file's records, the cheapest that is right."""
    if dialect.quote is None:
        return LineCutter()
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

    try:
        table = pacsv.read_csv(pa.BufferReader(block.data), *_options(block, dialect, options, note))
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
    return Raw(batch, numbers, lambda place: lines.of(places[place]), rejects)


def _check_text(block: Block, name: str, first_line: int) -> None:
    try:
        block.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = first_line + block.data.count(b"\n", 0, error.start)
        raise BadEncoding(
            f"{name} is not UTF-8: byte {block.data[error.start]:#04x} in line {line}.", hint=ENCODING_HINT
        ) from error


def _options(
    block: Block, dialect: Dialect, options: CsvOptions, note: object
) -> tuple[pacsv.ReadOptions, pacsv.ParseOptions, pacsv.ConvertOptions]:
    return (
        pacsv.ReadOptions(column_names=dialect.names, use_threads=False, block_size=len(block.data) + 1),
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
            self._lines = list(self._scan())
        return self._lines[index] if index < len(self._lines) else None

    def _scan(self) -> Iterator[int]:
        dialect = self._dialect
        text = self._block.data.decode("utf-8", "replace")
        reader = csv.reader(
            (line + "\n" for line in text.split("\n")),
            delimiter=dialect.delimiter,
            quotechar=dialect.quote or '"',
            quoting=csv.QUOTE_MINIMAL if dialect.quote else csv.QUOTE_NONE,
            escapechar=dialect.escape,
            doublequote=dialect.escape is None,
        )
        before = 0
        for row in reader:
            if row or len(dialect.names) == 1:
                yield self._first + before
            before = reader.line_num

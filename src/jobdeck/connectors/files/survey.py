"""The first look at one file: format, columns with types that hold every value, rows, places to split it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from jobdeck.connectors.base import Reject
from jobdeck.connectors.errors import BadRow, DataFailure, TooBigToRead
from jobdeck.connectors.files.bounds import check_columns
from jobdeck.connectors.files.config import CsvOptions, FilesConfig
from jobdeck.connectors.files.detect import Detected, detect
from jobdeck.connectors.files.finding.found import Located
from jobdeck.connectors.files.formats import csv as csv_format
from jobdeck.connectors.files.formats import jsonl as jsonl_format
from jobdeck.connectors.files.formats import parquet as parquet_format
from jobdeck.connectors.files.formats import records
from jobdeck.connectors.files.formats.bad_rows import BadRows
from jobdeck.connectors.files.formats.csv_dialect import Dialect
from jobdeck.connectors.files.formats.json_stream import document_lines
from jobdeck.connectors.files.formats.misfits import Misfits
from jobdeck.connectors.files.formats.numpy import Arrays
from jobdeck.connectors.files.formats.records import Block, IrregularQuotes
from jobdeck.connectors.files.formats.rows import Raw
from jobdeck.connectors.files.formats.types import Guess, feed_all
from jobdeck.connectors.files.located import open_located
from jobdeck.connectors.files.plan import FileFacts, Slice, dump_schema
from jobdeck.connectors.files.streams import transcoded, unpacked
from jobdeck.core.environment import Environment


def open_text(located: Located, detected: Detected, environment: Environment, csv: CsvOptions) -> IO[bytes]:
    """The file as UTF-8 lines, from its beginning: unpacked, recoded, an array taken apart."""
    raw = open_located(located, environment)
    stream = unpacked(raw, detected.compression, located.size, located.name)
    encoding = asked_encoding(detected, csv)
    if encoding:
        stream.read(detected.bom)
    stream = transcoded(stream, encoding or detected.encoding, located.name)
    return document_lines(stream, located.name) if detected.format == "json" else stream


def asked_encoding(detected: Detected, csv: CsvOptions) -> str:
    """The encoding that was asked for, unless it is UTF-8, which needs no recoding."""
    encoding = (csv.encoding or "") if detected.format == "csv" else ""
    return "" if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig") else encoding


class Survey:
    """Looks at one file. `steps` is to be run to its end; it gives bytes looked at, so that it can be stopped.

    With `most`, text is looked at up to about so many bytes; `partial` then says that there was more, so that rows
    are those of the beginning only."""

    facts: FileFacts

    def __init__(
        self,
        located: Located,
        config: FilesConfig,
        environment: Environment,
        part_bytes: int,
        most: int | None = None,
    ) -> None:
        self._located, self._config, self._environment = located, config, environment
        self._part_bytes = part_bytes
        self._most = most
        self._name = located.name
        self.partial = False
        self._bad = BadRows(config.on_bad_row)

    def steps(self) -> Iterator[int]:
        """Raises the DataFailure that tells what is wrong with the file."""
        with open_located(self._located, self._environment) as raw:
            detected = detect(
                raw,
                self._located.filename,
                self._located.size,
                self._config.format,
                self._name,
                self._config.csv.encoding,
            )
        match detected.format:
            case "parquet":
                yield self._parquet(detected)
            case "numpy":
                yield self._numpy(detected)
            case "csv":
                yield from self._text_steps(self._csv(detected))
            case "json" | "jsonl":
                yield from self._text_steps(self._jsonl(detected))

    def _text_steps(self, steps: Iterator[int]) -> Iterator[int]:
        """A bad row that ends the import is told when others were looked for behind it, and before what else is wrong
        there."""
        try:
            yield from steps
        except BadRow:
            raise
        except DataFailure as error:
            if not self._bad:
                raise
            raise self._bad.failure() from error
        if self._bad:
            raise self._bad.failure()

    def _parquet(self, detected: Detected) -> int:
        with open_located(self._located, self._environment) as raw:
            metadata, schema = parquet_format.footer(raw, self._name)
        self._conclude(detected, schema, parquet_format.row_group_slices(metadata, self._part_bytes))
        return self._located.size

    def _numpy(self, detected: Detected) -> int:
        with open_located(self._located, self._environment) as raw:
            arrays = Arrays(raw, self._name)
            self._conclude(detected, arrays.schema(), [arrays.slice()])
        return self._located.size

    def _csv(self, detected: Detected) -> Iterator[int]:
        options = self._config.csv
        with self._text(detected) as stream:
            bom = 0 if asked_encoding(detected, options) else detected.bom
            dialect = csv_format.dialect_of(stream, bom, options, self._name)
        try:
            yield from self._csv_pass(detected, dialect)
        except IrregularQuotes:
            yield from self._csv_pass(detected, dialect.model_copy(update={"regular": False}))

    def _csv_pass(self, detected: Detected, dialect: Dialect) -> Iterator[int]:
        options = self._config.csv
        self._bad = BadRows(self._config.on_bad_row)
        rule = csv_format.text_rule(options)
        guesses = [Guess(rule) for _ in dialect.names]
        slices = Slices(dialect.data_start, dialect.first_line, self._part_bytes)
        notes = CsvNotes(dialect, self._name)
        misfits = Misfits(dialect.names, rule)
        for block in self._csv_blocks(detected, dialect, slices):
            csv_format.check_regular(block, dialect, self._name)
            raw = csv_format.parse_block(block, dialect, options, self._name, slices.row, slices.line)
            self._bad.add(raw.rejects, len(block.data))
            notes.feed(block, raw, slices.line)
            feed_all(guesses, raw.table.columns, rule)
            misfits.feed(guesses, raw)
            slices.add(block, raw.consumed, records.line_count(block.data))
            yield len(block.data)
        kinds = [guess.type or pa.null() for guess in guesses]
        schema = pa.schema(list(zip(dialect.names, kinds, strict=True)))
        told = notes.told(csv_format.header_note(dialect, kinds, options, self._name))
        self._conclude(detected, schema, self._settled(slices, detected), dialect.model_dump(), soft=True, notes=told)
        self.facts.texts = misfits.told(self._name)

    def _csv_blocks(self, detected: Detected, dialect: Dialect, slices: Slices) -> Iterator[Block]:
        """Raises TooBigToRead naming the row."""
        try:
            yield from self._blocks(detected, dialect.data_start, csv_format.cutter_for(dialect), dialect.first_line)
        except TooBigToRead as error:
            if "has a row of more than" not in error.message:
                raise
            raise TooBigToRead(
                f"{self._name}: row {slices.row} (line {slices.line}) is longer than {records.MAX_RECORD} bytes.",
                hint="A quote may not be closed there; see csv.quote and csv.delimiter.",
            ) from error

    def _jsonl(self, detected: Detected) -> Iterator[int]:
        shape = jsonl_format.ColumnsSoFar()
        first: Reject | None = None
        bad = 0
        slices = Slices(detected.bom, 1, self._part_bytes)
        for block in self._blocks(detected, detected.bom, records.LineRecordCutter()):
            jsonl_format.check_text(block, self._name, slices.line)
            line = slices.line if detected.format == "jsonl" else None
            rows, rejects = shape.feed(block, self._name, slices.row, line)
            self._bad.add(rejects, len(block.data))
            first, bad = first or next(iter(rejects), None), bad + len(rejects)
            slices.add(block, rows, block.data.count(b"\n"))
            yield len(block.data)
        found: dict[str, object] = {"unnamed": shape.unnamed, "whole": shape.whole}
        notes = [jsonl_format.nothing_fits(self._name, first)] if first and bad == slices.row - 1 else []
        self._conclude(detected, shape.schema(), self._settled(slices, detected), found, soft=True, notes=notes)
        self.facts.texts = shape.mixed(self._name)

    def _text(self, detected: Detected) -> IO[bytes]:
        return open_text(self._located, detected, self._environment, self._config.csv)

    def _blocks(
        self, detected: Detected, start: int, cutter: records.Cutter, first_line: int | None = 1
    ) -> Iterator[Block]:
        with self._text(detected) as stream:
            stream.read(start)
            hint = records.CSV_HINT if detected.format == "csv" else records.JSON_HINT
            first_line = first_line if detected.format != "json" else None
            looked = 0
            for block in records.blocks(stream, cutter, start, None, self._name, line=first_line, hint=hint):
                if self._most is not None and looked >= self._most:
                    self.partial = True
                    return
                looked += len(block.data)
                yield block

    def _settled(self, slices: Slices, detected: Detected) -> list[Slice]:
        """Streams that cannot be entered in the middle stay in one piece."""
        recoded = detected.encoding or asked_encoding(detected, self._config.csv)
        return slices.joined() if detected.compression or recoded or detected.format == "json" else slices.done

    def _conclude(
        self,
        detected: Detected,
        schema: pa.Schema,
        slices: list[Slice],
        dialect: dict[str, object] | None = None,
        soft: bool = False,
        notes: list[str] | None = None,
    ) -> None:
        check_columns(schema, self._name)
        self.facts = FileFacts(
            located=self._located,
            detected=detected,
            dialect=dialect or {},
            columns=dump_schema(schema),
            soft=soft,
            rows=sum(piece.rows for piece in slices),
            slices=slices,
            notes=notes or [],
        )


class CsvNotes:
    """Gathers what is odd about one CSV file and does not keep it from being read."""

    def __init__(self, dialect: Dialect, name: str) -> None:
        self._dialect, self._name = dialect, name
        self._cr_line = dialect.first_line - 1 if dialect.ends_with_cr else None
        self._lf = False
        self._first: str | None = None

    def feed(self, block: Block, raw: Raw, line: int) -> None:
        self._first = self._first or next(iter(raw.notes), None)
        self._lf = self._lf or b"\n" in block.data
        if self._cr_line is None:
            before = csv_format.lone_cr(block.data, self._dialect)
            self._cr_line = None if before is None else line + before

    def told(self, header: str | None) -> list[str]:
        """All that is to be told, of each kind the first."""
        ends = None
        if self._cr_line is not None and self._lf:
            ends = f"Line {self._cr_line} of {self._name} ends with CR alone, and others with LF; both end a row."
        return [note for note in (header, self._first, ends) if note is not None]


class Slices:
    """Gathers blocks into slices of about `size` bytes, counting rows and lines."""

    def __init__(self, start: int, first_line: int, size: int) -> None:
        self._size = size
        self._at = start
        self.row, self.line = 1, first_line
        self.done: list[Slice] = []

    def add(self, block: Block, rows: int, lines: int) -> None:
        last = self.done[-1] if self.done else None
        if last is None or last.bytes >= self._size:
            last = Slice(start=block.start, end=block.end, first_row=self.row, first_line=self.line, rows=0, bytes=0)
            self.done.append(last)
        last.end, last.rows, last.bytes = block.end, last.rows + rows, last.bytes + len(block.data)
        self.row += rows
        self.line += lines

    def joined(self) -> list[Slice]:
        if not self.done:
            return []
        first, last = self.done[0], self.done[-1]
        total = {"end": last.end, "rows": sum(s.rows for s in self.done), "bytes": sum(s.bytes for s in self.done)}
        return [first.model_copy(update=total)]

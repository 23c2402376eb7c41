"""The first look at one file: format, columns with types that hold every value, rows, places to split it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import IO

import pyarrow as pa

from jobdeck.connectors.base import Reject
from jobdeck.connectors.files.bounds import check_columns
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.detect import Detected, detect
from jobdeck.connectors.files.formats import csv as csv_format
from jobdeck.connectors.files.formats import jsonl as jsonl_format
from jobdeck.connectors.files.formats import parquet as parquet_format
from jobdeck.connectors.files.formats import records
from jobdeck.connectors.files.formats.csv_dialect import Dialect
from jobdeck.connectors.files.formats.json_stream import document_lines
from jobdeck.connectors.files.formats.numpy import Arrays
from jobdeck.connectors.files.formats.records import Block, IrregularQuotes
from jobdeck.connectors.files.formats.rows import bad_row
from jobdeck.connectors.files.formats.types import Guess
from jobdeck.connectors.files.located import Located, open_located
from jobdeck.connectors.files.plan import FileFacts, Slice, dump_schema
from jobdeck.connectors.files.streams import transcoded, unpacked
from jobdeck.core.environment import Environment


def open_text(located: Located, detected: Detected, environment: Environment, encoding: str = "") -> IO[bytes]:
    """The file as UTF-8 lines, from its beginning: unpacked, recoded, an array taken apart."""
    raw = open_located(located, environment)
    stream = unpacked(raw, detected.compression, located.size, located.name)
    stream = transcoded(stream, encoding or detected.encoding, located.name)
    return document_lines(stream, located.name) if detected.format == "json" else stream


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
                yield from self._csv(detected)
            case "json" | "jsonl":
                yield from self._jsonl(detected)

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
            dialect = csv_format.dialect_of(stream, detected.bom, options, self._name)
        try:
            yield from self._csv_pass(detected, dialect)
        except IrregularQuotes:
            yield from self._csv_pass(detected, dialect.model_copy(update={"regular": False}))

    def _csv_pass(self, detected: Detected, dialect: Dialect) -> Iterator[int]:
        rule = csv_format.text_rule(self._config.csv)
        guesses = [Guess(rule) for _ in dialect.names]
        slices = Slices(dialect.data_start, dialect.first_line, self._part_bytes)
        for block in self._blocks(detected, dialect.data_start, csv_format.cutter_for(dialect), dialect.first_line):
            csv_format.check_regular(block, dialect, self._name)
            raw = csv_format.parse_block(block, dialect, self._config.csv, self._name, slices.row, slices.line)
            self._bad(raw.rejects)
            for guess, column in zip(guesses, raw.table.columns, strict=True):
                guess.feed(column)
            slices.add(block, raw.consumed)
            yield len(block.data)
        kinds = [guess.type or pa.null() for guess in guesses]
        schema = pa.schema(list(zip(dialect.names, kinds, strict=True)))
        self._conclude(detected, schema, self._settled(slices, detected), dialect.model_dump(), soft=True)

    def _jsonl(self, detected: Detected) -> Iterator[int]:
        shape = jsonl_format.Shape()
        slices = Slices(detected.bom, 1, self._part_bytes)
        for block in self._blocks(detected, detected.bom, records.LineCutter()):
            jsonl_format.check_text(block, self._name, slices.line)
            line = slices.line if detected.format == "jsonl" else None
            rows, rejects = shape.feed(block, self._name, slices.row, line)
            self._bad(rejects)
            slices.add(block, rows)
            yield len(block.data)
        found: dict[str, object] = {"unnamed": shape.unnamed, "whole": shape.whole}
        self._conclude(detected, shape.schema(), self._settled(slices, detected), found, soft=True)

    def _text(self, detected: Detected) -> IO[bytes]:
        encoding = (self._config.csv.encoding or "") if detected.format == "csv" else ""
        if encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig"):
            encoding = ""
        return open_text(self._located, detected, self._environment, encoding)

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

    def _bad(self, rejects: list[Reject]) -> None:
        if rejects and self._config.on_bad_row == "fail":
            raise bad_row(rejects[0])

    def _settled(self, slices: Slices, detected: Detected) -> list[Slice]:
        """Streams that cannot be entered in the middle stay in one piece."""
        sequential = detected.compression or detected.encoding or detected.format == "json" or self._recoded(detected)
        return slices.joined() if sequential else slices.done

    def _recoded(self, detected: Detected) -> bool:
        return detected.format == "csv" and self._config.csv.encoding is not None

    def _conclude(
        self,
        detected: Detected,
        schema: pa.Schema,
        slices: list[Slice],
        dialect: dict[str, object] | None = None,
        soft: bool = False,
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
        )


class Slices:
    """Gathers blocks into slices of about `size` bytes, counting rows and lines."""

    def __init__(self, start: int, first_line: int, size: int) -> None:
        self._size = size
        self._at = start
        self.row, self.line = 1, first_line
        self.done: list[Slice] = []

    def add(self, block: Block, rows: int) -> None:
        last = self.done[-1] if self.done else None
        if last is None or last.bytes >= self._size:
            last = Slice(start=block.start, end=block.end, first_row=self.row, first_line=self.line, rows=0, bytes=0)
            self.done.append(last)
        last.end, last.rows, last.bytes = block.end, last.rows + rows, last.bytes + len(block.data)
        self.row += rows
        self.line += block.data.count(b"\n")

    def joined(self) -> list[Slice]:
        if not self.done:
            return []
        first, last = self.done[0], self.done[-1]
        total = {"end": last.end, "rows": sum(s.rows for s in self.done), "bytes": sum(s.bytes for s in self.done)}
        return [first.model_copy(update=total)]

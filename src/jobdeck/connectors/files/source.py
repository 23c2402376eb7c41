"""Reads many files as one table: looks at all of them first, then any part of them from any cursor."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from jobdeck.connectors.base import DataColumn, Description, Read, SourcePart
from jobdeck.connectors.columns import type_name
from jobdeck.connectors.errors import BadRow, DataFailure
from jobdeck.connectors.files.bounds import CELLS, inner_width, width
from jobdeck.connectors.files.config import FilesConfig
from jobdeck.connectors.files.finding.found import Located
from jobdeck.connectors.files.finding.walk import Budget
from jobdeck.connectors.files.formats import csv as csv_format
from jobdeck.connectors.files.formats import jsonl as jsonl_format
from jobdeck.connectors.files.formats import parquet as parquet_format
from jobdeck.connectors.files.formats import records
from jobdeck.connectors.files.formats.bad_rows import BadRows
from jobdeck.connectors.files.formats.csv_dialect import Dialect
from jobdeck.connectors.files.formats.numpy import Arrays
from jobdeck.connectors.files.formats.rows import Fitting, Raw, fitted, without
from jobdeck.connectors.files.located import find, open_located, unchanged
from jobdeck.connectors.files.partitions import completed, with_partitions
from jobdeck.connectors.files.plan import FileFacts, FilesPlan, Mapping, Slice, dump_schema
from jobdeck.connectors.files.streams import skip
from jobdeck.connectors.files.survey import Survey, open_text
from jobdeck.connectors.files.texts import text_remarks
from jobdeck.connectors.files.unify import unified
from jobdeck.connectors.words import TextRule
from jobdeck.core.environment import Environment
from jobdeck.core.values import Json

PART_BYTES = 64 * 1024 * 1024
MAX_PARTS = 4000
MAX_SLICES = 200
"""Files in one part at most."""
MIN_BLOCK = 1 << 12
_CELLS = 3 * CELLS
"""Bytes of text times columns: a row has three bytes at least."""


class FilesSource:
    """The files of one configuration. Give the `plan` of an earlier look to read by it."""

    def __init__(self, config: FilesConfig, environment: Environment, plan: FilesPlan | None = None) -> None:
        self._config, self._environment = config, environment
        self._plan = plan
        self.facts: list[FileFacts] = []
        self.left_out: list[str] = []
        self.part_bytes = PART_BYTES

    def located(self) -> list[Located]:
        """All files, in the order in which they were named; the same file twice is read twice."""
        budget = Budget()
        found = [find(entry, self._environment, budget) for entry in self._config.files]
        self.left_out = [name for item in found for name in item.left_out]
        return [file for item in found for file in item.files]

    def look(self, files: list[Located], known: Sequence[FileFacts] = ()) -> Iterator[int]:
        """Look at those `files` that come after the ones in `facts` and are not `known`; gives bytes looked at, to be
        stopped between."""
        there = {facts.located.model_dump_json(): facts for facts in known}
        for file in files[len(self.facts) :]:
            facts = there.get(file.model_dump_json())
            if facts is not None:
                self.facts.append(facts)
                yield 0
                continue
            survey = Survey(file, self._config, self._environment, self.part_bytes)
            yield from survey.steps()
            self.facts.append(survey.facts)
            yield 0

    def plan(self, target: pa.Schema | None = None) -> FilesPlan:
        """The plan, made on first use; `target` is the schema that the result must have. Raises SchemaMismatch."""
        if self._plan is None:
            for _ in self.look(self.located()):
                pass
            files = with_partitions(self.facts)
            schema, mappings = unified(files, self._config, target)
            self._plan = FilesPlan(
                files=files,
                mappings=mappings,
                columns=dump_schema(schema),
                parts=grouped(self.facts, self.part_bytes),
                remarks=text_remarks(files, schema, mappings, self._config) if target is None else [],
            )
        return self._plan

    def schema(self) -> pa.Schema:
        return self.plan().result()

    def describe(self) -> Description:
        plan = self.plan()
        return Description(
            object=", ".join(self._config.files[:3]) + ("…" if len(self._config.files) > 3 else ""),
            columns=[DataColumn(name=f.name, type=type_name(f.type)) for f in plan.result()],
            rows=sum(file.rows for file in plan.files),
            bytes=sum(file.located.size for file in plan.files),
            fingerprint="|".join(file.located.fingerprint for file in plan.files),
        )

    def parts(self, size: int = PART_BYTES) -> list[SourcePart]:
        if self._plan is None:
            self.part_bytes = size
        return [part_of(index, slices) for index, slices in enumerate(self.plan().parts)]

    def read(self, part: SourcePart, cursor: Json = None, schema: pa.Schema | None = None) -> Iterator[Read]:
        """Cursor: {slice, at, row, line}. Raises BadRow, SourceChanged and the failures of damaged files.

        Behind a bad row that ends the import nothing is given any more, and only others like it are looked for."""
        bad = BadRows(self._config.on_bad_row)
        try:
            for read in self._reads(part, cursor, schema):
                bad.add(read.rejects, read.bytes)
                if not bad:
                    yield read
        except BadRow:
            raise
        except DataFailure as error:
            if not bad:
                raise
            raise bad.failure() from error
        if bad:
            raise bad.failure()

    def _reads(self, part: SourcePart, cursor: Json, schema: pa.Schema | None) -> Iterator[Read]:
        slices = [Slice.model_validate(piece) for piece in part.detail["slices"]]
        place: dict[str, Any] = cursor if isinstance(cursor, dict) else {"slice": 0}
        for index in range(place["slice"], len(slices)):
            piece = slices[index]
            start = (
                place if index == place["slice"] and "at" in place else _beginning(piece, self.plan().files[piece.file])
            )
            yield from self._slice(piece, {**start, "slice": index}, schema)
            unchanged(self.plan().files[piece.file].located, self._environment)

    def _slice(self, piece: Slice, place: dict[str, Any], schema: pa.Schema | None) -> Iterator[Read]:
        file = self.plan().files[piece.file]
        how = self._fitting(piece.file, schema or self.plan().result())
        for raw, size, at, line in self._raw(file, piece, place, how):
            batch, rejects = fitted(completed(raw, file), how)
            place = {**place, "at": at, "row": place["row"] + raw.consumed, "line": line}
            located = file.located
            yield Read(batch, place, raw.consumed, size, rejects, located.object, located.uploaded_as)

    def _fitting(self, index: int, schema: pa.Schema) -> Fitting:
        plan = self.plan()
        mapping: Mapping = plan.mappings[index]
        by_name = dict(zip(plan.result().names, mapping.sources, strict=True))
        return Fitting(
            file=plan.files[index].located.name,
            schema=schema,
            sources=[by_name.get(name) for name in schema.names],
            required=frozenset(plan.required),
            rule=csv_format.text_rule(self._config.csv) if plan.files[index].detected.format == "csv" else TextRule(),
            on_bad_row=self._config.on_bad_row,
        )

    def _raw(
        self, file: FileFacts, piece: Slice, place: dict[str, Any], how: Fitting
    ) -> Iterator[tuple[Raw, int, int, int]]:
        match file.detected.format:
            case "csv":
                yield from self._csv(file, piece, place, how)
            case "json" | "jsonl":
                yield from self._jsonl(file, piece, place, how)
            case "parquet":
                yield from self._parquet(file, piece, place, how)
            case "numpy":
                yield from self._numpy(file, piece, place)

    def _blocks(
        self, file: FileFacts, piece: Slice, place: dict[str, Any], cutter: records.Cutter, width: int
    ) -> Iterator[records.Block]:
        size = max(min(MIN_BLOCK, records.BLOCK), min(records.BLOCK, _CELLS // max(1, width)))
        json = file.detected.format != "csv"
        line = place["line"] if file.detected.format != "json" else None
        hint = records.JSON_HINT if json else records.CSV_HINT
        with open_text(file.located, file.detected, self._environment, self._config.csv) as stream:
            skip(stream, place["at"])
            yield from records.blocks(
                stream, cutter, place["at"], piece.end, file.located.name, size, line=line, hint=hint
            )

    def _csv(
        self, file: FileFacts, piece: Slice, place: dict[str, Any], how: Fitting
    ) -> Iterator[tuple[Raw, int, int, int]]:
        dialect = Dialect.model_validate(file.dialect)
        row, line = place["row"], place["line"]
        # A cell of the file takes a byte at least, so only columns that it does not have need smaller blocks.
        width = len(how.schema) // len(dialect.names)
        for block in self._blocks(file, piece, place, csv_format.cutter_for(dialect), width):
            raw = csv_format.parse_block(block, dialect, self._config.csv, how.file, row, line)
            row, line = row + raw.consumed, line + records.line_count(block.data)
            yield raw, len(block.data), block.end, line

    def _jsonl(
        self, file: FileFacts, piece: Slice, place: dict[str, Any], how: Fitting
    ) -> Iterator[tuple[Raw, int, int, int]]:
        pairs = zip(how.schema, how.sources, strict=True)
        wanted = {source: f.type for f, source in pairs if source is not None and source not in file.partition}
        held = dict(zip(file.held().names, file.held().types, strict=True))
        known = jsonl_format.LearnedColumns(held, **file.dialect)
        columns, inner = width(how.schema), max(map(inner_width, wanted.values()), default=0)
        row, line = place["row"], place["line"]
        for block in self._blocks(file, piece, place, records.LineRecordCutter(), 1):
            jsonl_format.check_text(block, how.file, line)
            for part in jsonl_format.pieces(block, columns, inner):
                told = line if file.detected.format == "jsonl" else None
                raw = jsonl_format.parse_block(part, wanted, known, how.file, row, told)
                row, line = row + raw.consumed, line + part.data.count(b"\n")
                yield raw, len(part.data), part.end, line

    def _parquet(
        self, file: FileFacts, piece: Slice, place: dict[str, Any], how: Fitting
    ) -> Iterator[tuple[Raw, int, int, int]]:
        columns = [source for source in how.sources if source is not None and source not in file.partition]
        with open_located(file.located, self._environment) as stream:
            done = place["at"]
            for batch, bad in parquet_format.batches(stream, piece, columns, done, how.file):
                first = piece.first_row + done
                done += batch.num_rows
                raw = Raw(batch, range(first, first + batch.num_rows), _no_line)
                yield without(raw, bad, how.file), batch.nbytes, done, 0

    def _numpy(self, file: FileFacts, piece: Slice, place: dict[str, Any]) -> Iterator[tuple[Raw, int, int, int]]:
        with open_located(file.located, self._environment) as stream:
            done = place["at"]
            for batch in Arrays(stream, file.located.name).batches(done, piece.end):
                raw = Raw(batch, range(done + 1, done + 1 + batch.num_rows), _no_line)
                done += batch.num_rows
                yield raw, batch.nbytes, done, 0


def _beginning(piece: Slice, file: FileFacts) -> dict[str, Any]:
    """Parquet counts the rows done of the slice; the others stand at a byte or row of the file."""
    at = 0 if file.detected.format == "parquet" else piece.start
    return {"at": at, "row": piece.first_row, "line": piece.first_line}


def _no_line(place: int) -> None:  # noqa: ARG001  (binary files have no lines)
    return None


def part_of(index: int, slices: list[Slice]) -> SourcePart:
    """The part of this number of a plan."""
    return SourcePart(
        index=index,
        rows=sum(piece.rows for piece in slices),
        bytes=sum(piece.bytes for piece in slices),
        detail={"slices": [piece.model_dump() for piece in slices]},
    )


def grouped(files: list[FileFacts], size: int) -> list[list[Slice]]:
    """Slices in file order, gathered into parts of about `size` bytes, and into at most about MAX_PARTS of them."""
    slices = [piece.model_copy(update={"file": index}) for index, file in enumerate(files) for piece in file.slices]
    size = max(size, sum(piece.bytes for piece in slices) // MAX_PARTS)
    parts: list[list[Slice]] = []
    held = 0
    for piece in slices:
        if not parts or held + piece.bytes > size or len(parts[-1]) >= MAX_SLICES:
            parts.append([])
            held = 0
        parts[-1].append(piece)
        held += piece.bytes
    return parts

"""Moves batches from a part of a source into chunks of a sink: bounded memory, a checkpoint a chunk, progress."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
import pyarrow as pa
from pydantic import BaseModel, Field

from jobdeck.connectors.base import ChunkWriter, Read, Reject, Sink, Source, SourcePart, StagedFile, Stamp
from jobdeck.core.tasks import Run
from jobdeck.core.values import Json
from jobdeck.storage.folders import Folder

CHUNK_ROWS = 131_072
MAX_SOURCES = 20
"""Files of rejected rows that a summary names, those with most of them."""
CHUNK_BYTES = 128 * 1024 * 1024
"""Arrow bytes: a chunk of wide rows ends earlier."""


class Consumed(BaseModel):
    """What was read of one file or object."""

    rows: int = 0
    bytes: int = 0
    name: str | None = None


class Moved(BaseModel):
    """What a task has moved so far: its checkpoint, and at the end its result. `cursor`: where the source goes on."""

    cursor: Any = None
    chunk: int = 0
    files: list[StagedFile] = Field(default_factory=list)
    rows: int = 0
    rejected: int = 0
    bytes: int = 0
    reject_files: list[str] = Field(default_factory=list)
    units: dict[str, Consumed] = Field(default_factory=dict)
    """By file or object of the source."""


@dataclass(frozen=True, slots=True)
class Rejects:
    """Where rows that do not fit are written, as JSON Lines, a file a chunk; a repeated chunk writes the same file.

    Beside it lies a summary: how many rows, and of which files."""

    folder: Folder

    def write(self, stamp: Stamp, chunk: int, rejects: list[Reject]) -> str:
        name = f"t{stamp.task:05d}-c{chunk:04d}.jsonl"
        lines = b"".join(orjson.dumps(reject.to_json()) + b"\n" for reject in rejects)
        self.folder.write(name.replace(".jsonl", ".summary.json"), orjson.dumps(_summary(rejects)))
        self.folder.write(name, lines)
        return name


def _summary(rejects: list[Reject]) -> dict[str, Json]:
    counts = Counter((reject.file, reject.name) for reject in rejects)
    sources: list[Json] = [
        {"file": file, **({} if name is None else {"name": name}), "rows": rows}
        for (file, name), rows in counts.most_common(MAX_SOURCES)
    ]
    return {"rows": len(rejects), "sources": sources, "source_count": len(counts)}


@dataclass(slots=True)
class Transfer:
    """One task's part of a job: from `source`'s `part` into chunks of `sink`."""

    source: Source
    sink: Sink
    part: SourcePart
    schema: pa.Schema
    stamp: Stamp
    rejects: Rejects
    chunk_rows: int = CHUNK_ROWS
    _waiting: list[Reject] = field(default_factory=list)

    def run(self, run: Run) -> Moved:
        """Go on from `run.cursor`, one checkpoint a chunk, until the part is done. A stop is heeded between batches."""
        moved = Moved.model_validate(run.cursor) if run.cursor is not None else Moved()
        writer: ChunkWriter | None = None
        pending = moved.model_copy(deep=True)
        try:
            for read in self.source.read(self.part, moved.cursor, self.schema):
                run.stop_here()
                writer = writer or self.sink.stage(self.stamp, moved.chunk, self.schema)
                writer.write(read.batch)
                self._count(pending, read)
                self._tell(run, pending)
                if (
                    writer.rows >= self.chunk_rows
                    or writer.bytes >= CHUNK_BYTES
                    or len(self._waiting) >= self.chunk_rows
                ):
                    moved, writer = self._finish(pending, writer), None
                    pending = moved.model_copy(deep=True)
                    run.checkpoint(moved.model_dump(mode="json"))
            if writer is not None:
                moved, writer = self._finish(pending, writer), None
                run.checkpoint(moved.model_dump(mode="json"))
        finally:
            if writer is not None:
                writer.abort()
        return moved

    def _count(self, pending: Moved, read: Read) -> None:
        pending.cursor = read.cursor
        pending.rows += read.batch.num_rows
        pending.rejected += len(read.rejects)
        pending.bytes += read.bytes
        unit = pending.units.setdefault(read.unit, Consumed(name=read.unit_name))
        unit.rows += read.rows
        unit.bytes += read.bytes
        self._waiting += (replace(reject, file=read.unit, name=read.unit_name) for reject in read.rejects)

    def _tell(self, run: Run, pending: Moved) -> None:
        run.progress(pending.rows + pending.rejected, self.part.rows, "rows", rows=pending.rows, bytes=pending.bytes)

    def _finish(self, pending: Moved, writer: ChunkWriter) -> Moved:
        """End the chunk. What is recorded of it is durable before the checkpoint says so."""
        if self._waiting:
            pending.reject_files.append(self.rejects.write(self.stamp, pending.chunk, self._waiting))
            self._waiting = []
        staged = writer.close()
        if staged.rows:
            pending.files.append(staged)
        else:
            writer.abort()
        pending.chunk += 1
        return pending


def batches(
    source: Source, part: SourcePart, cursor: Json = None, schema: pa.Schema | None = None
) -> Iterator[pa.RecordBatch]:
    """Only the batches, for those who keep no account."""
    return (read.batch for read in source.read(part, cursor, schema))

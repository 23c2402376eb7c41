"""Writes files into a folder: chunks beside their place, moved into it when all are there."""

from __future__ import annotations

from typing import IO, Any, Literal

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from jobdeck.connectors.base import ChunkWriter, Published, StagedFile, Stamp
from jobdeck.connectors.errors import CountMismatch
from jobdeck.connectors.files.formats.json_values import text_of
from jobdeck.connectors.plain import plain
from jobdeck.storage.folders import Folder

OutputFormat = Literal["parquet", "csv", "jsonl"]
STAGING = ".staging"


class FilesSink:
    """A folder as a target. Not transactional: files appear one after the other when published, each of them whole."""

    def __init__(self, folder: Folder, format: OutputFormat = "parquet") -> None:
        self._folder, self._format = folder, format

    def stage(self, stamp: Stamp, chunk: int, schema: pa.Schema) -> ChunkWriter:
        path = f"{STAGING}/{stamp.folder}/t{stamp.task:05d}-e{stamp.epoch}-c{chunk:04d}.{self._format}"
        return FileChunk(self._folder, path, schema, self._format)

    def publish(
        self,
        stamp: Stamp,
        staged: list[StagedFile],
        schema: pa.Schema,
        mode: str,
        key: list[str],
    ) -> Published:
        """Move the staged files to `part-<job>-<attempt>-<n>.<format>`; mode replace removes the other files."""
        targets = [f"part-{stamp.folder}-{number:05d}.{self._format}" for number in range(len(staged))]
        present = {entry.name for entry in self._folder.entries()}
        repeated = bool(staged) and present.issuperset(targets)
        for file, target in zip(staged, targets, strict=True):
            if file.path not in present and target not in present:
                raise CountMismatch(f"The staged file {file.path} is gone.", hint="Restart the job.")
            if file.path in present:
                self._folder.rename(file.path, target)
        if mode == "replace":
            self._folder.delete(name for name in present if name not in targets and not name.startswith(STAGING))
        self._clear(stamp)
        return Published(rows=sum(file.rows for file in staged), repeated=repeated)

    def discard(self, stamp: Stamp) -> None:
        """Remove the attempt's files, in their place or not; files that `replace` removed do not come back."""
        self._clear(stamp)
        own = f"part-{stamp.folder}-"
        self._folder.delete([entry.name for entry in self._folder.entries() if entry.name.startswith(own)])

    def _clear(self, stamp: Stamp) -> None:
        below = self._folder.sub(STAGING, stamp.folder)
        self._folder.delete([f"{STAGING}/{stamp.folder}/{entry.name}" for entry in below.entries()])


class FileChunk:
    """One file being written, batch by batch."""

    def __init__(self, folder: Folder, path: str, schema: pa.Schema, format: OutputFormat) -> None:
        self._folder, self._path = folder, path
        self._file: IO[bytes] = folder.open_output(path)
        self._writer: Any = _writer(self._file, schema, format)
        self.rows = 0
        self.bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self._writer.write_batch(batch)
        self.rows += batch.num_rows
        self.bytes += batch.nbytes

    def close(self) -> StagedFile:
        self._writer.close()
        size = self._file.tell()
        self._file.close()
        return StagedFile(path=self._path, rows=self.rows, bytes=size)

    def abort(self) -> None:
        self._file.close()
        self._folder.delete([self._path])


def _writer(file: IO[bytes], schema: pa.Schema, format: OutputFormat) -> Any:
    if format == "parquet":
        return pq.ParquetWriter(file, schema, compression="zstd")
    if format == "csv":
        return pacsv.CSVWriter(file, schema)
    return _JsonLines(file)


class _JsonLines:
    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def write_batch(self, batch: pa.RecordBatch) -> None:
        lines = (text_of({k: plain(v) for k, v in row.items() if v is not None}) + "\n" for row in batch.to_pylist())
        self._file.write("".join(lines).encode())

    def close(self) -> None:
        self._file.flush()

"""Writes one chunk as a Parquet file in the table's folder, where nobody sees it until a commit names it."""

from __future__ import annotations

from contextlib import suppress

import pyarrow as pa
import pyarrow.parquet as pq

from jobdeck.connectors.base import StagedFile, Stamp
from jobdeck.storage.folders import Folder, flushed

GROUP_BYTES = 32 * 1024 * 1024
"""Arrow bytes that are gathered for one row group: what a writer holds in memory, about."""
JOBS = "jobs"
ASIDE = "~gone-"
"""Prefix of folders on their way out."""


def own_files(folder: Folder, stamp: Stamp) -> list[str]:
    """All that this attempt has in the table's folder, published or not."""
    below = folder.sub(JOBS, stamp.folder)
    return [f"{JOBS}/{stamp.folder}/{entry.name}" for entry in below.entries()]


def chunk_path(stamp: Stamp, chunk: int) -> str:
    """The epoch is in the name, so that a task that should be dead never writes into its successor's file."""
    return f"{JOBS}/{stamp.folder}/t{stamp.task:05d}-e{stamp.epoch}-c{chunk:04d}.parquet"


class ParquetChunk:
    """A chunk being written; memory is bounded by GROUP_BYTES, whatever the size of the chunk."""

    def __init__(self, folder: Folder, path: str, schema: pa.Schema) -> None:
        self._folder, self._path = folder, path
        self._schema = schema
        self._file = folder.open_output(path)
        self._writer = pq.ParquetWriter(self._file, schema, compression="zstd", store_schema=False)
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self.rows = 0
        self.bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        self._waiting.append(batch)
        self._waiting_bytes += batch.nbytes
        self.rows += batch.num_rows
        self.bytes += batch.nbytes
        if self._waiting_bytes >= GROUP_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting, self._schema), row_group_size=1 << 20)
        self._waiting, self._waiting_bytes = [], 0

    def close(self) -> StagedFile:
        """Finish the file; it outlasts a power cut. Its `bytes` are those it has in the storage."""
        self._flush()
        self._writer.close()
        size = self._file.tell()
        flushed(self._file, self._folder, self._path)
        self._file.close()
        return StagedFile(path=self._path, rows=self.rows, bytes=size)

    def abort(self) -> None:
        """Throw away what was written of the file."""
        with suppress(Exception):
            self._writer.close()
        with suppress(Exception):
            self._file.close()
        self._folder.delete([self._path])

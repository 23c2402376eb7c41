"""Reads a lake table, at one version, file by file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from jobdeck.connectors.base import DataColumn, Description, Read, SourcePart, batch_rows
from jobdeck.connectors.casting import cast
from jobdeck.connectors.columns import type_name
from jobdeck.connectors.errors import TableMissing
from jobdeck.connectors.lake.config import table_ref
from jobdeck.connectors.lake.features import refuse_reading
from jobdeck.connectors.lake.tables import arrow_schema, open_table
from jobdeck.core.values import Json
from jobdeck.storage.folders import Folder


class LakeSource:
    """One table at the version it has when first looked at (or `version`); later commits do not show."""

    def __init__(self, folder: Folder, path: tuple[str, ...], version: int | None = None) -> None:
        self._folder, self._path, self._version = folder, path, version
        self._table: DeltaTable | None = None

    def _open(self) -> DeltaTable:
        if self._table is None:
            self._table = open_table(self._folder, self._version)
        if self._table is None:
            raise TableMissing(f"There is no table '{self._name}'.")
        return self._table

    def _readable(self) -> DeltaTable:
        """Raises TableNotReadable."""
        table = self._open()
        refuse_reading(table, self._name)
        return table

    @property
    def _name(self) -> str:
        return str(table_ref(*self._path))

    def schema(self) -> pa.Schema:
        return arrow_schema(self._open())

    def _files(self) -> list[dict[str, Any]]:
        adds = pa.table(self._readable().get_add_actions(flatten=True))
        return sorted(adds.select(["path", "size_bytes", "num_records"]).to_pylist(), key=lambda f: f["path"])

    def describe(self) -> Description:
        files = self._files()
        table = self._open()
        return Description(
            object=self._name,
            columns=[DataColumn(name=f.name, type=type_name(f.type), nullable=f.nullable) for f in self.schema()],
            rows=table.count(),
            bytes=sum(file["size_bytes"] for file in files),
            fingerprint=f"{table.metadata().id}:{table.version()}",
        )

    def parts(self, size: int) -> list[SourcePart]:
        """Whole files, gathered until a part has about `size` bytes."""
        groups: list[list[dict[str, Any]]] = []
        room = 0
        for file in self._files():
            if not groups or room < file["size_bytes"]:
                groups.append([])
                room = size
            groups[-1].append(file)
            room -= file["size_bytes"]
        return [self._part(index, group) for index, group in enumerate(groups)]

    def _part(self, index: int, files: list[dict[str, Any]]) -> SourcePart:
        counts = [file["num_records"] for file in files]
        return SourcePart(
            index=index,
            rows=sum(counts) if None not in counts else None,
            bytes=sum(file["size_bytes"] for file in files),
            detail={"version": self._open().version(), "files": [file["path"] for file in files]},
        )

    def read(self, part: SourcePart, cursor: Json = None, schema: pa.Schema | None = None) -> Iterator[Read]:
        """Cursor: [file number, rows done in it]."""
        self._version = part.detail["version"]
        wanted = schema or self.schema()
        first, done = cursor if isinstance(cursor, list) else (0, 0)
        for number in range(int(str(first)), len(part.detail["files"])):
            path = part.detail["files"][number]
            at = int(str(done)) if number == first else 0
            for batch in self._batches(path, at):
                at += batch.num_rows
                yield Read(fitted(batch, wanted), [number, at], batch.num_rows, batch.nbytes, unit=path)

    def _batches(self, path: str, skip: int) -> Iterator[pa.RecordBatch]:
        with self._folder.open_input(path) as file:
            parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
            for batch in parquet.iter_batches(batch_rows(parquet.metadata)):
                if skip >= batch.num_rows:
                    skip -= batch.num_rows
                    continue
                yield batch.slice(skip)
                skip = 0


def fitted(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """The batch in `schema`; columns that its file does not have are null."""
    present = set(batch.schema.names)
    columns = [
        cast(batch.column(f.name), f.type) if f.name in present else pa.nulls(batch.num_rows, f.type) for f in schema
    ]
    return pa.record_batch(columns, schema=schema)

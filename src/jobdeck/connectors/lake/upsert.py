"""Upsert: of equal keys in the input the last row wins, then rows of equal key in the table are replaced by one merge."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace as changed
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from jobdeck.connectors.base import StagedFile, Stamp
from jobdeck.connectors.errors import TargetChanged
from jobdeck.connectors.lake.tables import PUBLISHED, properties
from jobdeck.connectors.lake.writer import JOBS, ParquetChunk
from jobdeck.connectors.storage import Folder

MEMORY = "256MB"
SPILL_AT = 256 * 1024 * 1024
BATCH_ROWS = 16_384


class Winners:
    """The staged rows without those that a later row of equal key replaces. Only the keys pass through DuckDB."""

    def __init__(self, folder: Folder, staged: list[StagedFile], key: list[str], work_dir: str) -> None:
        self._folder, self._staged, self._key = folder, staged, key
        if work_dir:
            Path(work_dir).mkdir(parents=True, exist_ok=True)
        self._work = tempfile.TemporaryDirectory(prefix="upsert-", dir=work_dir or None)
        self._db = duckdb.connect(
            str(Path(self._work.name) / "keys.db"),
            config={
                "memory_limit": MEMORY,
                "temp_directory": self._work.name,
                "threads": 1,
                "autoinstall_known_extensions": False,
            },
        )
        self.rows = 0

    def __enter__(self) -> Winners:
        names = ", ".join(f"k{i}" for i in range(len(self._key)))
        source = pa.RecordBatchReader.from_batches(self._keys_schema(), self._keys())
        self._db.register("source", source)
        self._db.execute("SET preserve_insertion_order = false")
        self._db.execute(
            f"CREATE TABLE losers AS SELECT f, r FROM (SELECT f, r, row_number() OVER "
            f"(PARTITION BY {names} ORDER BY f DESC, r DESC) AS n FROM source) WHERE n > 1"
        )
        lost = self._db.execute("SELECT count(*) FROM losers").fetchone()
        self.rows = sum(file.rows for file in self._staged) - (lost[0] if lost else 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._work.cleanup()

    def _keys_schema(self) -> pa.Schema:
        if not self._staged:
            return pa.schema([("k0", pa.int64()), ("f", pa.int64()), ("r", pa.int64())])
        with self._folder.open_input(self._staged[0].path) as file:
            schema = pq.read_schema(file)
        keys = [pa.field(f"k{i}", schema.field(name).type) for i, name in enumerate(self._key)]
        return pa.schema([*keys, pa.field("f", pa.int64()), pa.field("r", pa.int64())])

    def _keys(self) -> Iterator[pa.RecordBatch]:
        schema = self._keys_schema()
        for index, staged in enumerate(self._staged):
            at = 0
            for batch in self._batches(staged, self._key):
                place = [np.full(batch.num_rows, index, np.int64), np.arange(at, at + batch.num_rows, dtype=np.int64)]
                columns: list[Any] = [batch.column(name) for name in self._key]
                yield pa.record_batch([*columns, *map(pa.array, place)], schema=schema)
                at += batch.num_rows

    def _batches(self, staged: StagedFile, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        with self._folder.open_input(staged.path) as file:
            yield from pq.ParquetFile(file).iter_batches(BATCH_ROWS, columns=columns)

    def batches(self, staged: StagedFile) -> Iterator[pa.RecordBatch]:
        """The winning rows of one staged file."""
        index = self._staged.index(staged)
        found = self._db.execute("SELECT r FROM losers WHERE f = ?", [index]).fetchnumpy()["r"]
        keep = np.ones(staged.rows, bool)
        keep[np.asarray(found, np.int64)] = False
        at = 0
        for batch in self._batches(staged):
            yield batch.filter(pa.array(keep[at : at + batch.num_rows]))
            at += batch.num_rows

    def stream(self, schema: pa.Schema) -> pa.RecordBatchReader:
        """All winning rows, in file order."""
        rows = (batch.cast(schema) for staged in self._staged for batch in self.batches(staged))
        return pa.RecordBatchReader.from_batches(schema, rows)

    def rewritten(self, stamp: Stamp, schema: pa.Schema) -> list[StagedFile]:
        """Staged files that hold only winners: the same ones where nothing was lost, new ones otherwise."""
        if self.rows == sum(file.rows for file in self._staged):
            return self._staged
        kept = []
        for number, staged in enumerate(self._staged):
            path = f"{JOBS}/{stamp.folder}/u{number:05d}-e{changed(stamp).epoch}.parquet"
            chunk = ParquetChunk(self._folder, path, schema)
            for batch in self.batches(staged):
                chunk.write(batch.cast(schema))
            kept.append(chunk.close())
        return kept


def merge(table: DeltaTable, stamp: Stamp, winners: Winners, schema: pa.Schema, key: list[str]) -> None:
    """One commit that replaces rows of equal key and adds the others; memory is bounded by spilling."""
    on = " AND ".join(f"t.{quoted(name)} = s.{quoted(name)}" for name in key)
    try:
        (
            table.merge(
                winners.stream(schema),
                on,
                source_alias="s",
                target_alias="t",
                streamed_exec=True,
                max_spill_size=SPILL_AT,
                commit_properties=properties(stamp, PUBLISHED, rows=winners.rows, mode="upsert"),
            )
            .when_matched_update_all()
            .when_not_matched_insert_all()
            .execute()
        )
    except CommitFailedError as error:
        raise TargetChanged(
            f"The table was changed by someone else meanwhile ({error}).", hint="Restart the job."
        ) from error


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'

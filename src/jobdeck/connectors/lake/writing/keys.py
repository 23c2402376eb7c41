"""Compares the keys of many Parquet files, more than fit into memory: only keys and places pass through DuckDB."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from jobdeck.connectors.casting import cast
from jobdeck.connectors.errors import BadRow
from jobdeck.storage.folders import Folder

MEMORY = "128MB"
"""What DuckDB may hold; beyond it, it spills into the work folder."""
BATCH_ROWS = 16_384
LOOK_SECONDS = 0.2


class Keys:
    """Finds rows by key. It makes the tables `losers` and `hits` of places (`f`: the file's number, `r`: its row).

    What takes long gives, every now and then, the rows passed since the beginning, and may be broken off there."""

    def __init__(self, folder: Folder, key: list[pa.Field], work_dir: str) -> None:
        self._folder, self._key = folder, key
        self._passed = 0
        self._null_key: str | None = None
        """A key column in which a row that passed had no value."""
        self._names = ", ".join(f"k{i}" for i in range(len(key)))
        if work_dir:
            Path(work_dir).mkdir(parents=True, exist_ok=True)
        self._work = tempfile.TemporaryDirectory(prefix="upsert-", dir=work_dir or None)
        import duckdb  # takes a seventh of the time in which a task starts, and only an upsert needs it

        self._db = duckdb.connect(
            str(Path(self._work.name) / "keys.db"),
            config={
                "memory_limit": MEMORY,
                "temp_directory": self._work.name,
                "threads": 1,
                "preserve_insertion_order": False,
                "autoinstall_known_extensions": False,
            },
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()
        self._work.cleanup()

    def find_losers(self, paths: Sequence[str]) -> Iterator[int]:
        """Of rows of equal key all but the last, in the order of `paths`, are losers. Raises BadRow for a null key."""
        self._offer("source", paths)
        yield from self._execute(
            "CREATE OR REPLACE TABLE losers AS SELECT f, r FROM "  # noqa: S608  (column names made here)
            f"(SELECT f, r, row_number() OVER (PARTITION BY {self._names} ORDER BY f DESC, r DESC) AS n FROM source) "
            "WHERE n > 1"
        )
        if self._null_key is not None:
            raise BadRow(
                f"A row has no value in the key column '{self._null_key}'.",
                hint="Rows are told apart by their keys: give each one, or use mode=append.",
                column=self._null_key,
            )

    def find_hits(self, paths: Sequence[str], among: Sequence[str]) -> Iterator[int]:
        """Rows of `among` whose key is in one of `paths` are hits; a null equals nothing."""
        self._offer("source", paths)
        self._offer("target", among)
        yield from self._execute(
            f"CREATE OR REPLACE TABLE hits AS SELECT f, r FROM target SEMI JOIN source USING ({self._names})"  # noqa: S608
        )

    def _execute(self, statement: str) -> Iterator[int]:
        """Run one long statement; when the one who listens leaves, it is interrupted."""
        with ThreadPoolExecutor(1, "upsert-keys") as pool:
            working = pool.submit(lambda: self._db.execute(statement).fetchall())
            try:
                while not wait([working], LOOK_SECONDS).done:
                    yield self._passed
            finally:
                while not working.done():
                    self._db.interrupt()
                    wait([working], LOOK_SECONDS)
            working.result()
        yield self._passed

    def passing(self, rows: int) -> int:
        """Count rows that need no look; the rows passed."""
        self._passed += rows
        return self._passed

    def count(self, table: str, file: int | None = None) -> int:
        """How many places `table` (`losers`, `hits`) has, in one file or in all."""
        where = "" if file is None else f" WHERE f = {int(file)}"
        found = self._db.execute(f"SELECT count(*) FROM {table}{where}").fetchall()  # noqa: S608  (our own names)
        return int(found[0][0])

    def others(self, table: str, file: int, path: str, rows: int) -> Iterator[tuple[pa.RecordBatch, int]]:
        """The rows of one file that are not in `table`, in order, with the rows passed."""
        found = self._db.execute(f"SELECT r FROM {table} WHERE f = ?", [file]).fetchnumpy()["r"]  # noqa: S608
        keep = np.ones(rows, bool)
        keep[np.asarray(found, np.int64)] = False
        at = 0
        for batch in self._batches(path):
            yield batch.filter(pa.array(keep[at : at + batch.num_rows])), self.passing(batch.num_rows)
            at += batch.num_rows

    def _offer(self, name: str, paths: Sequence[str]) -> None:
        keys = [pa.field(f"k{i}", field.type) for i, field in enumerate(self._key)]
        schema = pa.schema([*keys, pa.field("f", pa.int64()), pa.field("r", pa.int64())])
        self._db.register(name, pa.RecordBatchReader.from_batches(schema, self._places(schema, paths)))

    def _places(self, schema: pa.Schema, paths: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for index, path in enumerate(paths):
            at = 0
            for batch in self._batches(path, [field.name for field in self._key]):
                count = batch.num_rows
                columns = [self._column(batch, field, count) for field in self._key]
                nulls = (f.name for f, column in zip(self._key, columns, strict=True) if column.null_count)
                self._null_key = self._null_key or next(nulls, None)
                place = [np.full(count, index, np.int64), np.arange(at, at + count, dtype=np.int64)]
                yield pa.record_batch([*columns, *map(pa.array, place)], schema=schema)
                at += count
                self.passing(count)

    @staticmethod
    def _column(batch: pa.RecordBatch, field: pa.Field, count: int) -> Any:
        """Files from before a column was added have nothing in it."""
        present = field.name in batch.schema.names
        return cast(batch.column(field.name), field.type) if present else pa.nulls(count, field.type)

    def _batches(self, path: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        with self._folder.open_input(path) as file:
            parquet = pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20)
            dotted = columns is not None and any("." in name for name in columns)
            yield from parquet.iter_batches(BATCH_ROWS, columns=None if dotted else columns)

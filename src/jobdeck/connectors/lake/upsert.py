"""Upsert: of equal keys in the input the last row wins; rows of equal key in the table make way for it, in one commit.

Files of the table that hold such rows are written again without them, beside the table, before anything is committed.
So memory is bounded however large both sides are, and the rows can be counted before they show. (Delta's own merge
joins in memory and gives up, or grows, with the size of the input.)"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
from deltalake import DeltaTable

from jobdeck.connectors.base import StagedFile, Stamp
from jobdeck.connectors.errors import CountMismatch
from jobdeck.connectors.lake.keys import Keys
from jobdeck.connectors.lake.source import fitted
from jobdeck.connectors.lake.writer import JOBS, ParquetChunk
from jobdeck.connectors.storage import Folder


@dataclass(frozen=True, slots=True)
class Removed:
    """A file of the table that the commit takes out of it."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class Upsert:
    """What one commit has to add and to take out. `rows`: distinct rows of the input."""

    adds: list[StagedFile]
    removes: list[Removed]
    rows: int


def prepare(
    folder: Folder,
    table: DeltaTable | None,
    stamp: Stamp,
    staged: list[StagedFile],
    schema: pa.Schema,
    key: list[str],
    work_dir: str,
) -> Upsert:
    """Write what the upsert of `staged` needs. Raises CountMismatch when the rows do not add up."""
    with Keys(folder, [schema.field(name) for name in key], work_dir) as keys:
        writer = _Writer(folder, stamp, schema, keys)
        keys.find_losers([file.path for file in staged])
        winners = writer.without("losers", "u", staged)
        if table is None or not staged:
            return Upsert(winners, [], _rows(winners))
        present = _present(table)
        keys.find_hits([file.path for file in staged], [file.path for file in present])
        touched = [index for index in range(len(present)) if keys.count("hits", index)]
        kept = writer.without("hits", "m", present, touched)
        gone = _rows([present[i] for i in touched]) - _rows(kept)
        if gone != keys.count("hits"):
            raise CountMismatch(
                f"{gone} rows would go where {keys.count('hits')} have a new one.", hint="Resume the job."
            )
        removes = [Removed(present[i].path, present[i].bytes) for i in touched]
        return Upsert([*winners, *kept], removes, _rows(winners))


def _rows(files: list[StagedFile]) -> int:
    return sum(file.rows for file in files)


def _present(table: DeltaTable) -> list[StagedFile]:
    adds = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes", "num_records"]).to_pylist()
    return [StagedFile(path=a["path"], rows=a["num_records"], bytes=a["size_bytes"]) for a in adds]


@dataclass(frozen=True, slots=True)
class _Writer:
    folder: Folder
    stamp: Stamp
    schema: pa.Schema
    keys: Keys

    def without(
        self, table: str, letter: str, files: list[StagedFile], which: list[int] | None = None
    ) -> list[StagedFile]:
        """Those of `files` (or those numbered `which`) without the rows in `table`; untouched ones stay as they are."""
        result = []
        for index in range(len(files)) if which is None else which:
            if not self.keys.count(table, index):
                result.append(files[index])
                continue
            path = f"{JOBS}/{self.stamp.folder}/{letter}{index:05d}-e{self.stamp.epoch}.parquet"
            chunk = ParquetChunk(self.folder, path, self.schema)
            for batch in self.keys.others(table, index, files[index].path, files[index].rows):
                chunk.write(fitted(batch, self.schema))
            written = chunk.close()
            if written.rows:
                result.append(written)
            else:
                self.folder.delete([path])
        return result

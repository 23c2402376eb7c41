"""Upsert: of equal keys in the input the last row wins; rows of equal key in the table make way for it, in one commit.

Files of the table that hold such rows are written again without them, beside the table, before anything is committed.
So memory is bounded however large both sides are, and the rows can be counted before they show. (Delta's own merge
joins in memory and gives up, or grows, with the size of the input.)"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from deltalake import DeltaTable

from jobdeck.connectors.base import StagedFile, Stamp
from jobdeck.connectors.errors import CountMismatch
from jobdeck.connectors.lake.source import fitted
from jobdeck.connectors.lake.writing.keys import Keys
from jobdeck.connectors.lake.writing.writer import JOBS, ParquetChunk
from jobdeck.storage.folders import Folder


@dataclass(frozen=True, slots=True)
class Removed:
    """A file of the table that the commit takes out of it."""

    path: str
    size: int


@dataclass(slots=True)
class Upsert:
    """What one commit has to add and to take out. `rows`: distinct rows of the input."""

    adds: list[StagedFile] = field(default_factory=list)
    removes: list[Removed] = field(default_factory=list)
    rows: int = 0


def planned(folder: Folder, table: DeltaTable | None, staged: int) -> int:
    """Rows that `prepare` will have passed at its end, for `staged` rows of input."""
    present = _rows(_present(folder, table)) if table is not None and staged else 0
    return 2 * staged + (staged + 2 * present if present else 0)


def prepare(
    folder: Folder,
    table: DeltaTable | None,
    stamp: Stamp,
    staged: list[StagedFile],
    schema: pa.Schema,
    key: list[str],
    work_dir: str,
    result: Upsert,
) -> Iterator[int]:
    """Write what the upsert of `staged` needs and enter it into `result`; gives the rows passed so far.

    To be stopped anywhere. Raises CountMismatch when the rows do not add up."""
    with Keys(folder, [schema.field(name) for name in key], work_dir) as keys:
        writer = _Writer(folder, stamp, schema, keys)
        yield from keys.find_losers([file.path for file in staged])
        yield from writer.without("losers", "u", staged, range(len(staged)), result.adds)
        result.rows = _rows(result.adds)
        present = _present(folder, table) if table is not None and staged else []
        if not present:
            return
        yield from keys.find_hits([file.path for file in staged], [file.path for file in present])
        touched = [index for index in range(len(present)) if keys.count("hits", index)]
        kept: list[StagedFile] = []
        yield from writer.without("hits", "m", present, touched, kept)
        gone = _rows([present[i] for i in touched]) - _rows(kept)
        if gone != keys.count("hits"):
            raise CountMismatch(
                f"{gone} rows would go where {keys.count('hits')} have a new one.", hint="Resume the job."
            )
        result.removes += [Removed(present[i].path, present[i].bytes) for i in touched]
        result.adds += kept


def _rows(files: list[StagedFile]) -> int:
    return sum(file.rows for file in files)


def _present(folder: Folder, table: DeltaTable) -> list[StagedFile]:
    adds = pa.table(table.get_add_actions(flatten=True)).select(["path", "size_bytes", "num_records"]).to_pylist()
    return [StagedFile(path=a["path"], rows=_counted(folder, a), bytes=a["size_bytes"]) for a in adds]


def _counted(folder: Folder, file: dict[str, Any]) -> int:
    """Other writers may leave the count to the file."""
    if file["num_records"] is not None:
        return int(file["num_records"])
    with folder.open_input(file["path"]) as stream:
        return int(pq.read_metadata(stream).num_rows)


@dataclass(frozen=True, slots=True)
class _Writer:
    folder: Folder
    stamp: Stamp
    schema: pa.Schema
    keys: Keys

    def without(
        self, table: str, letter: str, files: list[StagedFile], which: Sequence[int], result: list[StagedFile]
    ) -> Iterator[int]:
        """Enter those of `files` numbered `which` into `result`, without their rows in `table`; gives rows passed."""
        for index in which:
            if not self.keys.count(table, index):
                result.append(files[index])
                yield self.keys.passing(files[index].rows)
                continue
            path = f"{JOBS}/{self.stamp.folder}/{letter}{index:05d}-e{self.stamp.epoch}.parquet"
            chunk = ParquetChunk(self.folder, path, self.schema)
            for batch, passed in self.keys.others(table, index, files[index].path, files[index].rows):
                chunk.write(fitted(batch, self.schema))
                yield passed
            written = chunk.close()
            if written.rows:
                result.append(written)
            else:
                self.folder.delete([path])

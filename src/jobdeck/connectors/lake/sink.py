"""Writes into a lake table: chunks as uncommitted files in its folder, then one commit for all of them."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
from deltalake import DeltaTable

from jobdeck.connectors.base import Published, StagedFile, Stamp
from jobdeck.connectors.errors import AttemptReused, TargetChanged
from jobdeck.connectors.lake import commit, upsert
from jobdeck.connectors.lake.tables import PUBLISHED, arrow_schema, open_table, state_of, version_of
from jobdeck.connectors.lake.writer import JOBS, ParquetChunk, chunk_path
from jobdeck.connectors.storage import Folder


class LakeSink:
    """One table as a target. `work_dir` is for temporary files of large upserts."""

    def __init__(self, folder: Folder, work_dir: str = "") -> None:
        self.folder = folder
        self.work_dir = work_dir

    def schema(self) -> pa.Schema | None:
        """The table's columns, or None when there is no table yet."""
        table = open_table(self.folder)
        return arrow_schema(table) if table is not None else None

    def stage(self, stamp: Stamp, chunk: int, schema: pa.Schema) -> ParquetChunk:
        return ParquetChunk(self.folder, chunk_path(stamp, chunk), schema)

    def publish(
        self, stamp: Stamp, staged: list[StagedFile], schema: pa.Schema, mode: str, key: list[str]
    ) -> Published:
        """Make the staged rows visible in one commit. Raises CountMismatch, TargetChanged, AttemptBuried."""
        rows = sum(file.rows for file in staged)
        table = open_table(self.folder)
        done = commit.already(table, stamp, rows)
        if done is None:
            rows = self._commit(table, stamp, staged, schema, mode, key)
            done = Published(version=self._version(stamp), rows=rows)
        self._sweep(stamp, staged, mode)
        return done

    def _commit(
        self,
        table: DeltaTable | None,
        stamp: Stamp,
        staged: list[StagedFile],
        schema: pa.Schema,
        mode: str,
        key: list[str],
    ) -> int:
        if table is not None and mode != "replace" and not same_columns(arrow_schema(table), schema):
            raise TargetChanged("The table's columns changed since the job looked at it.", hint="Restart the job.")
        actions = commit.checked_actions(self.folder, staged)
        if mode == "upsert":
            return self._upsert(table, stamp, staged, schema, key)
        if table is None:
            commit.create(self.folder, stamp, actions, schema)
        elif mode == "append":
            commit.append(table, stamp, actions)
        else:
            commit.replace(self.folder, table, stamp, actions, schema)
        return actions.rows

    def _upsert(
        self, table: DeltaTable | None, stamp: Stamp, staged: list[StagedFile], schema: pa.Schema, key: list[str]
    ) -> int:
        work = upsert.prepare(self.folder, table, stamp, staged, schema, key, self.work_dir)
        actions = commit.checked_actions(self.folder, work.adds)
        if table is None:
            commit.create(self.folder, stamp, actions, schema)
        else:
            commit.exchange(table, stamp, actions, work.removes, work.rows)
        return work.rows

    def _version(self, stamp: Stamp) -> int | None:
        table = open_table(self.folder)
        return version_of(table, stamp) if table is not None else None

    def _sweep(self, stamp: Stamp, staged: Sequence[StagedFile], mode: str) -> None:
        """Remove what this attempt wrote and its commit does not name: files of killed tries, sources of a merge."""
        table = open_table(self.folder)
        live: set[str] = set()
        if table is not None:
            live.update(pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist())
        keep = live | ({file.path for file in staged} if mode != "upsert" else set())
        self.folder.delete([path for path in self._own(stamp) if path not in keep])

    def published(self, stamp: Stamp) -> bool:
        """Whether this attempt's commit has landed."""
        table = open_table(self.folder)
        return table is not None and state_of(table, stamp) == PUBLISHED

    def fresh(self, stamp: Stamp) -> None:
        """Raise AttemptReused when the table knows this attempt already, as after a reset of the control database.

        Without this its files would overwrite those of another job, and its commit would be taken for done."""
        table = open_table(self.folder)
        if table is not None and state_of(table, stamp) is not None:
            raise AttemptReused(
                f"The table already has a commit of a job {stamp.job}, attempt {stamp.attempt}.",
                hint="The control database was reset and the storage was not. Restart the job, or use another table.",
            )

    def staged(self, stamp: Stamp) -> bool:
        """Whether anything of this attempt is in the table's folder."""
        return bool(self._own(stamp))

    def _own(self, stamp: Stamp) -> list[str]:
        below = self.folder.sub(JOBS, stamp.folder)
        return [f"{JOBS}/{stamp.folder}/{entry.name}" for entry in below.entries()]

    def discard(self, stamp: Stamp) -> None:
        """Remove what this attempt staged and keep it from ever being published; nothing when it was. Repeatable."""
        own = self._own(stamp)
        if commit.bury(self.folder, stamp) == PUBLISHED:
            return
        self.folder.delete(own)
        if open_table(self.folder) is None:
            self.folder.tidy()
            self.folder.tidy_above()


def same_columns(left: pa.Schema, right: pa.Schema) -> bool:
    """Whether names and types agree; nullability and metadata apart."""
    return left.names == right.names and all(str(a.type) == str(b.type) for a, b in zip(left, right, strict=True))

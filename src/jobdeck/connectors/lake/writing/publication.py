"""Makes an attempt's staged rows visible: first all that can be looked at, step by step, then one commit."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from jobdeck.connectors.base import Published, StagedFile, Stamp
from jobdeck.connectors.errors import TargetChanged
from jobdeck.connectors.lake.features import refuse_writing
from jobdeck.connectors.lake.tables import arrow_schema, open_table, version_of
from jobdeck.connectors.lake.writing import commit, upsert
from jobdeck.connectors.lake.writing.undo import LOG, live_files
from jobdeck.connectors.lake.writing.writer import own_files
from jobdeck.storage.disk import settled
from jobdeck.storage.folders import Folder


class Publication:
    """One publish. `prepare` may be broken off anywhere; `commit` after it is the moment that counts."""

    def __init__(
        self,
        folder: Folder,
        stamp: Stamp,
        staged: list[StagedFile],
        schema: pa.Schema,
        mode: str,
        key: list[str],
        work_dir: str = "",
    ) -> None:
        self._folder, self._stamp, self._staged = folder, stamp, staged
        self._schema, self._mode, self._key, self._work_dir = schema, mode, key, work_dir
        self._table = open_table(folder)
        self._done = commit.already(self._table, stamp, sum(file.rows for file in staged))
        self._actions = commit.Actions([])
        self._upsert = upsert.Upsert()
        self.total = self._planned()

    def _planned(self) -> int:
        """Rows that `prepare` passes: the staged ones, and with a key those of the table and those written again."""
        if self._done is not None:
            return 0
        staged = sum(file.rows for file in self._staged)
        return upsert.planned(self._folder, self._table, staged) if self._mode == "upsert" else staged

    def prepare(self) -> Iterator[int]:
        """Gives the rows done, up to `total`. Raises CountMismatch, TargetChanged, TableNotWritable."""
        if self._done is not None:
            return
        if self._table is not None:
            refuse_writing(self._table, self._mode)
            if self._mode != "replace" and not same_columns(arrow_schema(self._table), self._schema):
                raise TargetChanged("The table's columns changed since the job looked at it.", hint="Restart the job.")
        done = 0
        if self._mode == "upsert":
            yield from upsert.prepare(
                self._folder, self._table, self._stamp, self._staged, self._schema, self._key, self._work_dir,
                self._upsert,
            )  # fmt: skip
        adds = self._upsert.adds if self._mode == "upsert" else self._staged
        for rows in commit.checked(self._folder, adds, self._actions):
            done += rows
            yield self.total if self._mode == "upsert" else done

    def commit(self) -> Published:
        """Make it visible, unless it is, and remove what is needed no more. Raises TargetChanged, AttemptBuried."""
        done = self._done
        if done is None:
            rows = self._commit()
            done = Published(version=self._landed(), rows=rows)
        self._sweep()
        return done

    def _commit(self) -> int:
        if self._table is None:
            commit.create(self._folder, self._stamp, self._actions, self._schema)
        elif self._mode == "upsert":
            commit.exchange(self._table, self._stamp, self._actions, self._upsert.removes, self._upsert.rows)
        elif self._mode == "append":
            commit.append(self._table, self._stamp, self._actions)
        else:
            commit.replace(self._folder, self._table, self._stamp, self._actions, self._schema)
        return self._upsert.rows if self._mode == "upsert" else self._actions.rows

    def _landed(self) -> int | None:
        """The version that it made, once that would outlast a power cut."""
        table = open_table(self._folder)
        version = version_of(table, self._stamp) if table is not None else None
        if self._folder.path is not None and version is not None:
            settled(self._folder.path / LOG / f"{version:020}.json")
        return version

    def _sweep(self) -> None:
        """Remove what this attempt wrote and its commit does not name: files of killed tries, sources of a merge."""
        table = open_table(self._folder)
        keep = live_files(table) if table is not None else set()
        if self._mode != "upsert":
            keep |= {file.path for file in self._staged}
        self._folder.delete([path for path in own_files(self._folder, self._stamp) if path not in keep])


def same_columns(left: pa.Schema, right: pa.Schema) -> bool:
    """Whether names and types agree; nullability and metadata apart."""
    return left.names == right.names and all(str(a.type) == str(b.type) for a, b in zip(left, right, strict=True))

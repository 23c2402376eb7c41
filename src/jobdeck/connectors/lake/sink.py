"""Writes into a lake table: chunks as uncommitted files in its folder, then one commit for all of them."""

from __future__ import annotations

from collections.abc import Iterable

import pyarrow as pa

from jobdeck.connectors.base import Published, StagedFile, Stamp
from jobdeck.connectors.errors import AttemptReused
from jobdeck.connectors.lake.features import refuse_writing
from jobdeck.connectors.lake.tables import PUBLISHED, arrow_schema, landed, open_table, recent, state_of
from jobdeck.connectors.lake.writing import undo
from jobdeck.connectors.lake.writing.publication import Publication
from jobdeck.connectors.lake.writing.types import refuse_new
from jobdeck.connectors.lake.writing.writer import ParquetChunk, chunk_path, own_files
from jobdeck.storage.folders import Folder


class LakeSink:
    """One table as a target. `work_dir` is for temporary files of large upserts."""

    def __init__(self, folder: Folder, work_dir: str = "") -> None:
        self.folder = folder
        self.work_dir = work_dir

    def schema(self, mode: str = "append") -> pa.Schema | None:
        """The table's columns, or None when there is no table yet. Raises TableNotWritable when `mode` cannot be."""
        table = open_table(self.folder)
        if table is None:
            return None
        refuse_writing(table, mode)
        return arrow_schema(table)

    def check_new(self, schema: pa.Schema) -> None:
        """Raises UnsupportedType when no table can be made with these columns."""
        refuse_new(schema)

    def stage(self, stamp: Stamp, chunk: int, schema: pa.Schema) -> ParquetChunk:
        return ParquetChunk(self.folder, chunk_path(stamp, chunk), schema)

    def publication(
        self, stamp: Stamp, staged: list[StagedFile], schema: pa.Schema, mode: str, key: list[str]
    ) -> Publication:
        """The publish, to be done in steps. Raises AttemptBuried."""
        return Publication(self.folder, stamp, staged, schema, mode, key, self.work_dir)

    def publish(
        self, stamp: Stamp, staged: list[StagedFile], schema: pa.Schema, mode: str, key: list[str]
    ) -> Published:
        """Make the staged rows visible in one commit. Raises CountMismatch, TargetChanged, AttemptBuried."""
        publication = self.publication(stamp, staged, schema, mode, key)
        for _ in publication.prepare():
            pass
        return publication.commit()

    def published(self, stamp: Stamp) -> bool:
        """Whether this attempt's commit has landed, and was not taken back."""
        table = open_table(self.folder)
        return table is not None and state_of(table, stamp) == PUBLISHED

    def published_by(self, stamps: Iterable[Stamp]) -> tuple[Stamp, Published] | None:
        """The first of `stamps` whose commit is in the table and was not taken back."""
        table = open_table(self.folder)
        for stamp in stamps if table is not None else ():
            if table is None or state_of(table, stamp) != PUBLISHED:
                continue
            entry = landed(recent(table), stamp)
            if entry is not None and entry.get("origin", "") == stamp.origin:
                return stamp, Published(version=entry["version"], rows=int(entry.get("rows", 0)), repeated=True)
        return None

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
        """Whether anything of this attempt is in the table's folder, published or not."""
        return bool(own_files(self.folder, stamp))

    def discard(self, stamp: Stamp) -> None:
        """Remove what this attempt staged, take back what it published, keep it from ever being published. Repeatable.

        Raises AlreadyPublished when later versions build upon its rows."""
        undo.discard(self.folder, stamp)

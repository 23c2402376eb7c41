"""The one commit that makes an attempt's rows visible."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from jobdeck.connectors.base import Published, StagedFile, Stamp
from jobdeck.connectors.errors import AttemptBuried, CountMismatch, TargetChanged
from jobdeck.connectors.lake.tables import (
    BURIED,
    PUBLISHED,
    arrow_schema,
    open_table,
    properties,
    state_of,
    table_errors,
    version_of,
)
from jobdeck.connectors.lake.writing.stats import add_action
from jobdeck.connectors.lake.writing.types import NTZ, lacks_ntz
from jobdeck.connectors.lake.writing.undo import LOG, discard
from jobdeck.connectors.lake.writing.upsert import Removed
from jobdeck.connectors.lake.writing.writer import JOBS
from jobdeck.storage.disk import settled
from jobdeck.storage.folders import Folder


@dataclass(slots=True)
class Actions:
    """Checked entries of staged files, and the rows they hold together."""

    adds: list[AddAction]
    rows: int = 0


def checked(folder: Folder, staged: list[StagedFile], actions: Actions) -> Iterator[int]:
    """Enter `staged` into `actions`, giving the rows of each file.

    Raises CountMismatch unless every file is there with the rows it was recorded with."""
    now = time.time_ns() // 1_000_000
    for file in staged:
        try:
            action, rows = add_action(folder, file, now)
        except FileNotFoundError:
            raise CountMismatch(f"The staged file {file.path} is gone.", hint="Restart the job.") from None
        if rows != file.rows:
            raise CountMismatch(f"{file.path} has {rows} rows where {file.rows} were loaded.", hint="Restart the job.")
        actions.adds.append(action)
        actions.rows += rows
        yield rows


def already(table: DeltaTable | None, stamp: Stamp, rows: int) -> Published | None:
    """What this attempt published before, if it did; raises AttemptBuried when it was undone."""
    state = state_of(table, stamp) if table is not None else None
    if table is None or state is None:
        return None
    if state == BURIED:
        raise _undone(stamp)
    return Published(version=version_of(table, stamp), rows=rows, repeated=True)


def create(folder: Folder, stamp: Stamp, actions: Actions, schema: pa.Schema) -> None:
    """One commit that makes the table with all its rows.

    There is no table yet that could hold a tombstone against a task that should be dead. What it needs is in the folder
    of its attempt, which undo takes away: so that is looked at last. Raises TargetChanged, AttemptBuried."""
    if folder.path is not None:
        _create_by_rename(folder, folder.path, stamp, actions, schema)
        return
    try:
        _write_first(folder, stamp, actions, schema)
    except DeltaError as error:
        if open_table(folder) is None:
            raise
        raise _made_meanwhile() from error
    if not _still_staged(folder, actions):
        discard(folder, stamp)
        raise _undone(stamp)


def _create_by_rename(folder: Folder, path: Path, stamp: Stamp, actions: Actions, schema: pa.Schema) -> None:
    """The log is written beside the staged files, which go together, and put in its place in one step."""
    name = f"log-e{stamp.epoch}"
    prepared = path / JOBS / stamp.folder / name
    shutil.rmtree(prepared, ignore_errors=True)
    _write_first(folder.sub(JOBS, stamp.folder, name), stamp, actions, schema)
    if not _still_staged(folder, actions):
        shutil.rmtree(prepared, ignore_errors=True)
        raise _undone(stamp)
    settled(prepared / LOG / f"{0:020}.json")
    try:
        (prepared / LOG).rename(path / LOG)
    except FileNotFoundError:
        raise _undone(stamp) from None
    except OSError as error:
        shutil.rmtree(prepared, ignore_errors=True)
        raise _made_meanwhile() from error
    settled(path / LOG)
    prepared.rmdir()


def _write_first(folder: Folder, stamp: Stamp, actions: Actions, schema: pa.Schema) -> None:
    with table_errors(folder):
        create_table_with_add_actions(
            folder.url,
            Schema.from_arrow(schema),
            actions.adds,
            storage_options=folder.table_options(),
            commit_properties=properties(stamp, PUBLISHED, rows=actions.rows, mode="create"),
        )


def _still_staged(folder: Folder, actions: Actions) -> bool:
    return not actions.adds or folder.exists(actions.adds[0].path)


def _made_meanwhile() -> TargetChanged:
    return TargetChanged("The table was made by someone else meanwhile.", hint="Restart the job.")


def _undone(stamp: Stamp) -> AttemptBuried:
    return AttemptBuried(f"Attempt {stamp.attempt} of job {stamp.job} was undone; it cannot publish any more.")


def append(table: DeltaTable, stamp: Stamp, actions: Actions) -> None:
    """One commit that adds the files; raises TargetChanged."""
    commit(table, stamp, "append", actions, arrow_schema(table))


def replace(folder: Folder, table: DeltaTable, stamp: Stamp, actions: Actions, schema: pa.Schema) -> None:
    """One overwrite commit, with a new schema where it differs."""
    if lacks_ntz(table, schema):
        # An overwrite that brings the first such column without the feature makes a table that nobody can open.
        table.alter.add_feature([NTZ], allow_protocol_versions_increase=True)
        reopened = open_table(folder)
        if reopened is None or state_of(reopened, stamp) is not None:
            raise TargetChanged("The table was dropped or this attempt undone meanwhile.", hint="Restart the job.")
        table = reopened
    commit(table, stamp, "overwrite", actions, schema)


def exchange(table: DeltaTable, stamp: Stamp, actions: Actions, removes: list[Removed], rows: int) -> None:
    """Add and take out files at once. Any commit that came between makes it fail: it may have brought keys of ours."""
    now = time.time_ns() // 1_000_000
    gone = [RemoveAction(file.path, True, now, file.size, {}) for file in removes]
    _commit(
        table,
        "append",
        [*actions.adds, *gone],
        arrow_schema(table),
        properties(stamp, PUBLISHED, 0, rows=rows, mode="upsert"),
    )


def commit(table: DeltaTable, stamp: Stamp, mode: str, actions: Actions, schema: pa.Schema) -> None:
    """Add files, or put them in the place of all others (`overwrite`)."""
    _commit(table, mode, actions.adds, schema, properties(stamp, PUBLISHED, rows=actions.rows, mode=mode))


def _commit(
    table: DeltaTable,
    mode: str,
    actions: Sequence[AddAction | RemoveAction],
    schema: pa.Schema,
    marks: CommitProperties,
) -> None:
    """`table` must have been asked for `state_of` since it was opened: only later commits make this one conflict."""
    try:
        with table_errors():
            table.create_write_transaction(list(actions), mode, Schema.from_arrow(schema), commit_properties=marks)
    except CommitFailedError as error:
        raise TargetChanged(
            f"The table was changed by someone else meanwhile ({error}).", hint="Restart the job."
        ) from error

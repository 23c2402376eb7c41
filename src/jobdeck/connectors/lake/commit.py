"""The one commit that makes an attempt's rows visible, and the tombstone that keeps it from happening."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Schema
from deltalake.exceptions import CommitFailedError, DeltaError
from deltalake.transaction import AddAction, RemoveAction, create_table_with_add_actions

from jobdeck.connectors.base import Published, StagedFile, Stamp
from jobdeck.connectors.errors import AttemptBuried, CountMismatch, TargetChanged
from jobdeck.connectors.lake.stats import add_action
from jobdeck.connectors.lake.tables import BURIED, PUBLISHED, arrow_schema, open_table, properties, state_of, version_of
from jobdeck.connectors.lake.types import NTZ, lacks_ntz
from jobdeck.connectors.lake.upsert import Removed
from jobdeck.connectors.storage import Folder


@dataclass(frozen=True, slots=True)
class Actions:
    """Checked entries of the staged files, and the rows they hold together."""

    adds: list[AddAction]
    rows: int


def checked_actions(folder: Folder, staged: list[StagedFile]) -> Actions:
    """Entries for `staged`; raises CountMismatch unless every file is there with the rows it was recorded with."""
    now = time.time_ns() // 1_000_000
    adds = []
    for file in staged:
        try:
            action, rows = add_action(folder, file, now)
        except FileNotFoundError:
            raise CountMismatch(f"The staged file {file.path} is gone.", hint="Restart the job.") from None
        if rows != file.rows:
            raise CountMismatch(f"{file.path} has {rows} rows where {file.rows} were loaded.", hint="Restart the job.")
        adds.append(action)
    return Actions(adds, sum(file.rows for file in staged))


def already(table: DeltaTable | None, stamp: Stamp, rows: int) -> Published | None:
    """What this attempt published before, if it did; raises AttemptBuried when it was undone."""
    state = state_of(table, stamp) if table is not None else None
    if table is None or state is None:
        return None
    if state == BURIED:
        raise AttemptBuried(f"Attempt {stamp.attempt} of job {stamp.job} was undone; it cannot publish any more.")
    return Published(version=version_of(table, stamp), rows=rows, repeated=True)


def create(folder: Folder, stamp: Stamp, actions: Actions, schema: pa.Schema) -> None:
    """One commit that makes the table with all its rows; raises TargetChanged when another made it meanwhile."""
    try:
        create_table_with_add_actions(
            folder.url,
            Schema.from_arrow(schema),
            actions.adds,
            storage_options=dict(folder.options),
            commit_properties=properties(stamp, PUBLISHED, rows=actions.rows, mode="create"),
        )
    except DeltaError as error:
        if open_table(folder) is None:
            raise
        raise TargetChanged("The table was made by someone else meanwhile.", hint="Restart the job.") from error


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
        table.create_write_transaction(list(actions), mode, Schema.from_arrow(schema), commit_properties=marks)
    except CommitFailedError as error:
        raise TargetChanged(
            f"The table was changed by someone else meanwhile ({error}).", hint="Restart the job."
        ) from error


def bury(folder: Folder, stamp: Stamp) -> int | None:
    """See that this attempt never publishes; what it is: PUBLISHED (too late), BURIED, or None where there is no table.

    An empty commit carries the attempt's transaction: a commit of a dead task that was prepared before conflicts with
    it, and one that is prepared after sees it."""
    while True:
        table = open_table(folder)
        if table is None:
            return None
        state = state_of(table, stamp)
        if state is not None:
            return state
        try:
            table.create_write_transaction(
                [], "append", table.schema(), commit_properties=properties(stamp, BURIED, mode="undo")
            )
        except CommitFailedError:
            continue
        return BURIED

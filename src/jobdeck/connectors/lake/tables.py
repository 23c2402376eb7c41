"""Opening Delta tables, and the marks by which a job's commit is known again."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction
from deltalake.exceptions import TableNotFoundError

from jobdeck.connectors.base import Stamp
from jobdeck.storage.errors import OBJECT_STORAGE, told
from jobdeck.storage.folders import Folder

RETRIES = 1000
"""Commits of other jobs that may come between; each costs one more look at the log."""
PUBLISHED = 1
BURIED = 2
"""Versions of an attempt's application transaction: its commit, or the tombstone that keeps it from landing."""
UNDO = "undo"
"""The `mode` in the history of a commit that buries an attempt or takes it back."""
_HISTORY = 1000


def table_errors(folder: Folder | None = None) -> AbstractContextManager[None]:
    """What the table library says of the storage (of the bucket that `folder` is in), as our errors."""
    return told(OBJECT_STORAGE, folder.bucket if folder is not None else "")


def open_table(folder: Folder, version: int | None = None) -> DeltaTable | None:
    """The table at its latest version, or None when there is none."""
    if folder.path is not None and not (folder.path / "_delta_log").is_dir():
        return None
    try:
        with table_errors(folder):
            return DeltaTable(folder.url, version=version, storage_options=folder.table_options())
    except TableNotFoundError:
        return None


def arrow_schema(table: DeltaTable) -> pa.Schema:
    """The table's columns."""
    return pa.schema(table.schema().to_arrow())


def app_id(stamp: Stamp) -> str:
    """The name of the attempt's application transaction in the Delta log."""
    return "/".join(filter(None, ("jobdeck", str(stamp.job), str(stamp.attempt), stamp.part)))


def state_of(table: DeltaTable, stamp: Stamp) -> int | None:
    """PUBLISHED, BURIED, or None when this attempt is in no version up to the one `table` was opened at."""
    return table.transaction_version(app_id(stamp))


def properties(stamp: Stamp, mark: int, retries: int = RETRIES, **facts: Any) -> CommitProperties:
    """What a commit carries: the attempt's transaction, and the job for the history."""
    return CommitProperties(
        custom_metadata={**_marks(stamp), "origin": stamp.origin, **facts},
        max_commit_retries=retries,
        app_transactions=[Transaction(app_id(stamp), mark)],
    )


def recent(table: DeltaTable) -> list[dict[str, Any]]:
    """The latest commits, newest first, as far back as is looked at."""
    with table_errors():
        return table.history(_HISTORY)


def landed(entries: list[dict[str, Any]], stamp: Stamp) -> dict[str, Any] | None:
    """The commit among `entries` that published this attempt."""
    marks = {"part": None, **_marks(stamp)}
    mine = (e for e in entries if all(e.get(k) == v for k, v in marks.items()) and e.get("mode") != UNDO)
    return next(mine, None)


def _marks(stamp: Stamp) -> dict[str, str]:
    """By which a commit in the history is known to be this one."""
    marks = {"job": str(stamp.job), "attempt": str(stamp.attempt)}
    return marks | {"part": stamp.part} if stamp.part else marks


def version_of(table: DeltaTable, stamp: Stamp) -> int | None:
    """The version that this attempt's commit made, as far back as the history is kept."""
    entry = landed(recent(table), stamp)
    return int(entry["version"]) if entry is not None else None

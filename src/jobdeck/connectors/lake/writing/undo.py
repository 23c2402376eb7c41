"""Takes an attempt back: its commit if it landed, its files, and its chance of ever landing again."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from jobdeck.connectors.base import Stamp
from jobdeck.connectors.errors import AlreadyPublished
from jobdeck.connectors.lake.tables import (
    BURIED,
    PUBLISHED,
    UNDO,
    landed,
    open_table,
    properties,
    recent,
    state_of,
    table_errors,
)
from jobdeck.connectors.lake.writing.writer import ASIDE, JOBS, own_files
from jobdeck.storage.folders import Folder

LOG = "_delta_log"
_NEUTRAL = {"OPTIMIZE", "VACUUM START", "VACUUM END"}
"""Operations that leave the rows as they are."""


def discard(folder: Folder, stamp: Stamp) -> None:
    """Remove what this attempt staged and published, and keep it from publishing again. Repeatable.

    Raises AlreadyPublished, and leaves its rows, when later versions build upon them."""
    if not _withdraw(folder, stamp):
        return
    with _set_aside(folder, stamp):
        # A dead task may have made the table between the first look and the moment its files were out of its reach.
        _withdraw(folder, stamp)
    _delete_own(folder, stamp)
    if open_table(folder) is None:
        folder.tidy()
        folder.tidy_above()


def _withdraw(folder: Folder, stamp: Stamp) -> bool:
    """See that no version shows this attempt and none will; False when its number is another job's, in this table."""
    seen = -1
    while True:
        table = open_table(folder)
        if table is None:
            return True
        state = state_of(table, stamp)
        if state == BURIED:
            return True
        try:
            if state == PUBLISHED:
                return _take_back(folder, table, stamp)
            _bury(table, stamp)
            return True
        except CommitFailedError as error:
            if table.version() == seen:
                raise AlreadyPublished(f"The table refuses the commit that undoes this job: {error}.") from error
            seen = table.version()


def _bury(table: DeltaTable, stamp: Stamp) -> None:
    """An empty commit with the attempt's transaction: a commit of a dead task that was prepared before conflicts with
    it, and one that is prepared after sees it."""
    marks = properties(stamp, BURIED, mode=UNDO)
    with table_errors():
        table.create_write_transaction([], "append", table.schema(), commit_properties=marks)


def _take_back(folder: Folder, table: DeltaTable, stamp: Stamp) -> bool:
    entries = recent(table)
    mine = landed(entries, stamp)
    if mine is None:
        raise _refusal(f"the commit of attempt {stamp.attempt} is further back than the table's history")
    if mine.get("origin", "") != stamp.origin:
        return False
    version = int(mine["version"])
    later = _later(entries, version)
    if later:
        raise _refusal(f"attempt {stamp.attempt} published version {version}, and version {later[-1]} builds upon it")
    if version == 0:
        _remove_table(folder, table, stamp)
        return True
    try:
        with table_errors():
            table.restore(version - 1, commit_properties=properties(stamp, BURIED, 0, mode=UNDO, restored=version - 1))
    except CommitFailedError:
        raise
    except DeltaError as error:
        raise _refusal(f"attempt {stamp.attempt} published version {version}, and {version - 1} is gone") from error
    return True


def _refusal(reason: str) -> AlreadyPublished:
    return AlreadyPublished(
        f"The rows of this job stay in the table: {reason}.",
        hint="Look at the table's versions; revert to an earlier one if the rows must go.",
    )


def _later(entries: list[dict[str, Any]], version: int) -> list[int]:
    """Versions after `version`, newest first, that changed the rows: not those that were undone or only rearranged."""
    undone = {(e.get("job"), e.get("attempt")) for e in entries if e.get("mode") == UNDO}
    after = (e for e in entries if e["version"] > version and e.get("operation") not in _NEUTRAL)
    return [e["version"] for e in after if (e.get("job"), e.get("attempt")) not in undone]


def _remove_table(folder: Folder, table: DeltaTable, stamp: Stamp) -> None:
    """The log only: other jobs that are to write this table may have files beside it. Raises CommitFailedError."""
    if folder.path is None:
        log = folder.sub(LOG)
        for entry in sorted(log.entries(), key=lambda e: e.name, reverse=True):
            log.delete([entry.name])
        return
    aside = _aside(folder.path, stamp)
    aside.parent.mkdir(parents=True, exist_ok=True)
    # A rename is one step: nobody sees half a table, and a commit lands before it or not at all.
    (folder.path / LOG).rename(aside)
    if (aside / f"{table.version() + 1:020}.json").exists():
        aside.rename(folder.path / LOG)
        raise CommitFailedError("the table was changed meanwhile")
    shutil.rmtree(aside, ignore_errors=True)


def _aside(folder: Path, stamp: Stamp) -> Path:
    return folder / JOBS / f"{ASIDE}{stamp.folder}-{uuid.uuid4().hex}"


@contextmanager
def _set_aside(folder: Folder, stamp: Stamp) -> Iterator[None]:
    """Where folders can be renamed: at once, all that the attempt could still make a table of is out of its reach."""
    own = folder.path / JOBS / stamp.folder if folder.path is not None else None
    if own is None or folder.path is None or not own.is_dir() or open_table(folder) is not None:
        _delete_own(folder, stamp)
        yield
        return
    aside = _aside(folder.path, stamp)
    own.rename(aside)
    try:
        yield
    except BaseException:
        aside.rename(own)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _delete_own(folder: Folder, stamp: Stamp) -> None:
    table = open_table(folder)
    live = live_files(table) if table is not None else set()
    folder.delete([path for path in own_files(folder, stamp) if path not in live])


def live_files(table: DeltaTable) -> set[str]:
    """Paths of the files that the version at which `table` is open refers to."""
    return set(pa.table(table.get_add_actions(flatten=True)).column("path").to_pylist())

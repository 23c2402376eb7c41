"""Removes what jobs that are no more left in the lake: staged files and plans that nobody will come back for."""

from __future__ import annotations

import re
import time
from collections.abc import Set as AbstractSet

from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from jobdeck.connectors.base import Stamp
from jobdeck.connectors.lake.config import DROPPED, lake_folder
from jobdeck.connectors.lake.tables import PUBLISHED, open_table, state_of
from jobdeck.connectors.lake.writing.undo import live_files
from jobdeck.connectors.lake.writing.writer import ASIDE, JOBS
from jobdeck.core.environment import Environment
from jobdeck.storage.folders import Folder

DAY = 86_400.0
_ATTEMPT = re.compile(r"([0-9]+)-([0-9]+)")


def sweep(
    environment: Environment, alive: AbstractSet[tuple[int, int]], age: float = DAY, now: int | None = None
) -> list[str]:
    """Remove staged files and plans of attempts that are not `alive` and whose youngest file is over `age` seconds old.

    `alive`: (job, attempt) of all that may still go on or be undone. What a version of a table refers to stays.
    `now`: µs since 1970, None for this machine's clock. Returns what it removed, as keys below the project's folder."""
    limit = (now if now is not None else time.time_ns() // 1000) - int(age * 1_000_000)
    plans = Folder.of_project(environment).sub("plans")
    found = [f"plans/{name}/{file}" for name in _over(plans, alive) for file in _remove(plans.sub(name), limit)]
    lake = lake_folder(environment)
    for bucket in lake.folders():
        for table in lake.sub(bucket).folders():
            folder = lake.sub(bucket, table)
            names = _remove(folder, limit) if table.startswith(DROPPED) else _sweep_table(folder, alive, limit)
            found += [f"lake/{bucket}/{table}/{name}" for name in names]
    return found


def remove_staged(environment: Environment, prefix: str) -> None:
    """Remove what a gone attempt has at `…/lake/<bucket>/<table>/jobs/<job>-<attempt>`, if nothing shows it.

    `prefix` is below the storage's root. A table that cannot be opened keeps its files."""
    bucket, table, _, name = prefix.split("/")[-4:]
    folder = lake_folder(environment).sub(bucket, table)
    found = open_table(folder)
    if found is None or name not in _shown(found, [name]):
        staged = folder.sub(JOBS, name)
        staged.delete([entry.name for entry in staged.entries()])
        staged.tidy()
        folder.sub(JOBS).tidy()
    if found is None:
        folder.tidy()
        folder.tidy_above()


def _over(folder: Folder, alive: AbstractSet[tuple[int, int]]) -> list[str]:
    """The folders below that are of no live attempt, or were set aside by an undo that died."""
    return [name for name in folder.folders() if name.startswith(ASIDE) or _is_over(name, alive)]


def _is_over(name: str, alive: AbstractSet[tuple[int, int]]) -> bool:
    stamp = _stamp(name)
    return stamp is not None and (stamp.job, stamp.attempt) not in alive


def _stamp(name: str) -> Stamp | None:
    match = _ATTEMPT.fullmatch(name)
    return Stamp(int(match[1]), int(match[2])) if match is not None else None


def _sweep_table(folder: Folder, alive: AbstractSet[tuple[int, int]], limit: int) -> list[str]:
    """Attempts that are published, now or in an earlier version, keep their files."""
    staged = folder.sub(JOBS)
    over = _over(staged, alive)
    if not over:
        return []
    try:
        table = open_table(folder)
        shown = _shown(table, over) if table is not None else set()
    except DeltaError:
        return []  # Who can tell what a damaged table refers to?
    found = [f"{JOBS}/{name}/{file}" for name in over if name not in shown for file in _remove(staged.sub(name), limit)]
    if found and table is None:
        folder.tidy()
        folder.tidy_above()
    return found


def _shown(table: DeltaTable, names: list[str]) -> set[str]:
    """Those of the attempts' folders that the table, or one of its versions, refers to."""
    stamps = [(name, _stamp(name)) for name in names]
    published = {name for name, stamp in stamps if stamp is not None and state_of(table, stamp) == PUBLISHED}
    live = {path.split("/")[1] for path in live_files(table) if path.startswith(f"{JOBS}/")}
    return published | live


def _remove(folder: Folder, limit: int) -> list[str]:
    """All of the folder, if the youngest in it is old enough."""
    entries = list(folder.entries())
    if any(entry.modified > limit for entry in entries):
        return []
    folder.delete([entry.name for entry in entries])
    folder.tidy()
    return [entry.name for entry in entries]

"""Duty: remove what jobs half made that are gone and that nobody undid, such as those deleted while failed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import structlog

from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.scheduling import due
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

EVERY = 3600.0
Attempts = frozenset[tuple[int, int]]
"""Jobs and attempts whose leftovers are still needed."""


async def sweep(
    database: Database, leadership: Leadership, clean: Callable[[str, Attempts], Awaitable[list[str]]]
) -> None:
    """One round over all projects, if this process leads; `clean` removes what is old and of none of the attempts."""
    if leadership.known is None:
        return
    async with database.read() as connection:
        names = await due.project_names(connection)
        # Read after the names: an attempt that begins later has younger files than are ever removed.
        alive = await due.dirty_attempts(connection)
    for name in names:
        removed = await clean(name, alive)
        if removed:
            log.info("swept", project=name, removed=len(removed))

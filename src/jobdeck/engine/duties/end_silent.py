"""Duty: a process that froze in a transaction must not hold up the others with its locks; on PostgreSQL only.

Of every server, whoever leads: the frozen one may be the one that leads."""

from __future__ import annotations

import structlog

from jobdeck.store.sql import silent_sessions
from jobdeck.store.sql.database import Database

log = structlog.get_logger(__name__)

EVERY = 1.0
SILENT_SECONDS = 5.0


async def end_silent(database: Database, silent_seconds: float = SILENT_SECONDS) -> None:
    """One look."""
    if database.dialect != "postgresql":
        return
    async with database.read() as connection:
        ended = await silent_sessions.end(connection, silent_seconds)
    if ended:
        log.warning("silent_sessions_ended", sessions=ended)

"""Duty: workers that have been silent, and hold nothing any more, are gone."""

from __future__ import annotations

from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.running import workers
from jobdeck.store.sql.database import Database

EVERY = 5.0
SILENT_SECONDS = 30.0


async def mark_dead_workers(database: Database, leadership: Leadership, silent_seconds: float = SILENT_SECONDS) -> None:
    """One look, if this process leads."""
    if leadership.known is None:
        return
    silence = int(silent_seconds * 1_000_000)
    await database.transact(lambda tx: workers.mark_dead(tx, tx.now - silence))

"""Duty: resume the jobs that were paused until a time that has come."""

from __future__ import annotations

from jobdeck.core.life.operations import Operation
from jobdeck.engine.control import Control
from jobdeck.engine.scheduling.scheduler import Leadership
from jobdeck.store.scheduling import due
from jobdeck.store.sql.database import Database

EVERY = 1.0


async def resume_paused(database: Database, leadership: Leadership, control: Control) -> None:
    """One look, if this process leads."""
    if leadership.known is None:
        return
    async with database.read() as connection:
        ids = await due.to_resume(connection, await database.clock.now(connection))
    if ids:
        await control.operate(ids, Operation.RESUME, actor="jobdeck", reason="the time to resume has come")

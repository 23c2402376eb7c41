"""What is due: paused jobs to be resumed, and what is older than its retention."""

from __future__ import annotations

from sqlalchemy import delete, exists, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED, State
from jobdeck.store.schema import OPEN_JOBS, events, files, idempotency, jobs, projects
from jobdeck.store.sql.database import Tx

RESUMED_AT_ONCE = 500


async def to_resume(connection: AsyncConnection, now: int) -> list[int]:
    """Paused jobs whose time to go on has come."""
    query = select(jobs.c.id).where(text(OPEN_JOBS), jobs.c.state == str(State.PAUSED), jobs.c.resume_at <= now)
    return list((await connection.execute(query.order_by(jobs.c.id).limit(RESUMED_AT_ONCE))).scalars())


async def ended_jobs(connection: AsyncConnection, before: int, after: int, limit: int) -> list[int]:
    """Jobs that ended before `before` (µs), failed ones too, by id; a job goes only after its parent went or may go."""
    parents = jobs.alias("parents")
    kept = exists().where(parents.c.id == jobs.c.parent_id)
    ended = [str(s) for s in sorted(ENDED)]
    query = select(jobs.c.id).where(jobs.c.state.in_(ended), jobs.c.ended_at < before, jobs.c.id > after, ~kept)
    return list((await connection.execute(query.order_by(jobs.c.id).limit(limit))).scalars())


async def remove_expired_files(tx: Tx, now: int, limit: int) -> list[tuple[str, int]]:
    """Delete the rows of files whose time is over; project and id of each."""
    query = select(projects.c.name, files.c.id).join(projects, projects.c.id == files.c.project_id)
    found = (await tx.connection.execute(query.where(files.c.expires_at <= now).limit(limit))).all()
    await tx.connection.execute(delete(files).where(files.c.id.in_([file_id for _, file_id in found])))
    return list(found)


async def project_names(connection: AsyncConnection) -> list[str]:
    """All projects."""
    return list((await connection.execute(select(projects.c.name).order_by(projects.c.id))).scalars())


async def dirty_attempts(connection: AsyncConnection) -> frozenset[tuple[int, int]]:
    """Jobs and attempts that may have left half made things about and may still go on, or be undone."""
    query = select(jobs.c.id, jobs.c.dirty_since, jobs.c.attempt).where(jobs.c.dirty_since > 0)
    found = await connection.execute(query)
    return frozenset((row.id, n) for row in found for n in range(row.dirty_since, row.attempt + 1))


async def remove_events(tx: Tx, before: int, limit: int) -> int:
    """Delete up to `limit` events from before `before`; how many were there."""
    old = select(events.c.id).where(events.c.at < before).order_by(events.c.id).limit(limit)
    return (await tx.connection.execute(delete(events).where(events.c.id.in_(old)))).rowcount


async def forget_keys(tx: Tx, before: int) -> None:
    """Delete idempotency keys from before `before`."""
    await tx.connection.execute(delete(idempotency).where(idempotency.c.created_at < before))

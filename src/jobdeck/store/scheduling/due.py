"""What is due: paused jobs to be resumed, and what is older than its retention."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, FromClause, and_, bindparam, delete, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED, State
from jobdeck.store.schema import OPEN_JOBS, event_retention, events, file_versions, files, idempotency, jobs, projects
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.statements import INT, Prepared

RESUMED_AT_ONCE = 500


async def to_resume(connection: AsyncConnection, now: int) -> list[int]:
    """Paused jobs whose time to go on has come."""
    return [job for (job,) in await _TO_RESUME.run(connection, at=now, most=RESUMED_AT_ONCE)]


_TO_RESUME = Prepared(
    select(jobs.c.id)
    .where(text(OPEN_JOBS), jobs.c.state == str(State.PAUSED), jobs.c.resume_at <= bindparam("at", type_=INT))
    .order_by(jobs.c.id)
    .limit(bindparam("most", type_=INT))
)


async def ended_jobs(connection: AsyncConnection, before: int, after: int, limit: int) -> list[int]:
    """Jobs without a parent that ended before `before` (µs) with their children, failed ones too, by id."""
    parents, children = jobs.alias("parents"), jobs.alias("children")
    kept = exists().where(parents.c.id == jobs.c.parent_id)
    needed = exists().where(children.c.parent_id == jobs.c.id, ~_over(children, before))
    query = select(jobs.c.id).where(_over(jobs, before), jobs.c.id > after, ~kept, ~needed)
    return list((await connection.execute(query.order_by(jobs.c.id).limit(limit))).scalars())


async def over(tx: Tx, ids: Sequence[int], before: int) -> list[int]:
    """Those of the jobs that ended before `before`."""
    wanted = ids_of(ids)
    query = select(jobs.c.id).join(wanted, wanted.c.id == jobs.c.id).where(_over(jobs, before))
    return list((await tx.connection.execute(query)).scalars())


def _over(of: FromClause, before: int) -> ColumnElement[bool]:
    return and_(of.c.state.in_([str(s) for s in sorted(ENDED)]), func.coalesce(of.c.ended_at, before) < before)


async def remove_expired_files(tx: Tx, now: int, limit: int) -> list[tuple[str, int]]:
    """Delete the rows of files whose time is over; project and id of each."""
    query = select(projects.c.name, files.c.id).join(projects, projects.c.id == files.c.project_id)
    found = (await tx.connection.execute(query.where(files.c.expires_at <= now).limit(limit))).all()
    ids = [file_id for _, file_id in found]
    await tx.connection.execute(delete(file_versions).where(file_versions.c.file_id.in_(ids)))
    await tx.connection.execute(delete(files).where(files.c.id.in_(ids)))
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
    await _allow(tx, before)
    old = select(events.c.id).where(events.c.at < before).order_by(events.c.id).limit(limit)
    return (await tx.connection.execute(delete(events).where(events.c.id.in_(old)))).rowcount


async def _allow(tx: Tx, before: int) -> None:
    """Tell the database that events from before `before` may go; it keeps all others (migration 0005)."""
    await tx.put(event_retention, {"id": 1}, {"before": before})


async def forget_keys(tx: Tx, before: int) -> None:
    """Delete idempotency keys from before `before`."""
    await tx.connection.execute(delete(idempotency).where(idempotency.c.created_at < before))

"""Figures for monitoring, each from an index or from the events since the last look."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED, State
from jobdeck.store.schema import OPEN_JOBS, events, failures, jobs, leases, projects

ENDED_KINDS = tuple(str(s) for s in ENDED)
"""The kinds of the events that tell of a job's end are the names of the states."""


@dataclass(frozen=True, slots=True)
class Queue:
    """Jobs that have not ended, of one project in one state.

    `oldest` is when the first of them entered it or, if that is later, was to start (µs); None if all are to wait."""

    project: str
    state: str
    count: int
    oldest: int | None


async def queues(connection: AsyncConnection, now: int) -> list[Queue]:
    """Jobs that have not ended, by project and state."""
    start = func.coalesce(jobs.c.not_before, 0)
    since = case((start > now, None), (start > jobs.c.state_since, start), else_=jobs.c.state_since)
    query = (
        select(projects.c.name, jobs.c.state, func.count(), func.min(since))
        .join(projects, projects.c.id == jobs.c.project_id)
        .where(text(OPEN_JOBS))
        .group_by(projects.c.name, jobs.c.state)
    )
    return [Queue(*row) for row in await connection.execute(query)]


async def lease_count(connection: AsyncConnection) -> int:
    """Leases that live."""
    return int((await connection.execute(select(func.count()).select_from(leases))).scalar_one())


@dataclass(frozen=True, slots=True)
class EndedJob:
    """A job that ended, as the event with `event_id` told; `running_us` is how long it had run."""

    event_id: int
    state: str
    type: str
    running_us: int


async def ended_since(connection: AsyncConnection, event_id: int, limit: int) -> list[EndedJob]:
    """Jobs that ended after the event `event_id`, in order; those deleted since are left out."""
    query = (
        select(events.c.id, events.c.kind, jobs.c.type, jobs.c.running_us)
        .join(jobs, jobs.c.id == events.c.job_id)
        .where(events.c.id > event_id, events.c.kind.in_(ENDED_KINDS))
        .order_by(events.c.id)
        .limit(limit)
    )
    return [EndedJob(*row) for row in await connection.execute(query)]


async def failed_now(connection: AsyncConnection) -> dict[str, int]:
    """Jobs that are failed at this moment, by type."""
    failed = func.count().label("failed")
    query = select(failures.c.type, failed).where(failures.c.left_at.is_(None)).group_by(failures.c.type)
    return {row.type: row.failed for row in await connection.execute(query)}


@dataclass(frozen=True, slots=True)
class FailedJob:
    """A job that failed, as the event with `event_id` told; without type and project if it was deleted since."""

    event_id: int
    job: int
    type: str | None
    project: str | None
    data: str


async def failed_since(connection: AsyncConnection, event_id: int, limit: int) -> list[FailedJob]:
    """Jobs that failed after the event `event_id`, in order."""
    query = (
        select(events.c.id, events.c.job_id, jobs.c.type, projects.c.name, events.c.data)
        .select_from(events.outerjoin(jobs, jobs.c.id == events.c.job_id))
        .outerjoin(projects, projects.c.id == events.c.project_id)
        .where(events.c.id > event_id, events.c.kind == str(State.FAILED))
        .order_by(events.c.id)
        .limit(limit)
    )
    return [FailedJob(*row) for row in await connection.execute(query)]

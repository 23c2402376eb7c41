"""What the scheduler reads to keep its index: open jobs, limits, paused scopes, projects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, Subquery, bindparam, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import State
from jobdeck.core.life.waiting import ScopePause
from jobdeck.store.schema import OPEN_JOBS, events, jobs, limits, paused_scopes, projects
from jobdeck.store.sql.among import among
from jobdeck.store.sql.events import SUBMITTED
from jobdeck.store.sql.statements import INT, Prepared, run_batch


class QueuedJob(NamedTuple):
    """A job as the queue sees it. `claims` is JSON text."""

    id: int
    project_id: int
    type: str
    isolation: str
    state: State
    leased: bool
    order_key: int
    claims: str
    not_before: int | None
    resume_at: int | None
    waits_for_children: bool
    dirty_since: int
    parent_id: int | None
    has_children: bool
    losses: int = 0


_COLUMNS = [jobs.c[name] for name in QueuedJob._fields]


async def open_jobs(connection: AsyncConnection, after: QueuedJob | None, limit: int) -> list[QueuedJob]:
    """Up to `limit` jobs that have not ended, behind `after` (None: from the first); for building the index.

    In the order of the index of open jobs, so that each batch is read from where the last one ended."""
    query = select(*_COLUMNS).where(text(OPEN_JOBS)).order_by(jobs.c.state, jobs.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(jobs.c.state, jobs.c.id) > (str(after.state), after.id))
    return _queued(await connection.execute(query))


class Happened(NamedTuple):
    """An event, and with one of a new job that job as it is by now (None: it is gone)."""

    id: int
    kind: str
    job_id: int | None
    job: QueuedJob | None


async def happened_after(connection: AsyncConnection, cursor: int, limit: int) -> list[Happened]:
    """Up to `limit` events with an id above `cursor`, oldest first."""
    rows = await _HAPPENED.run(connection, cursor=cursor, most=limit)
    return [Happened(row[0], row[1], row[2], _queued((row[3:],))[0] if row[3] is not None else None) for row in rows]


_HAPPENED = Prepared(
    select(events.c.id, events.c.kind, events.c.job_id, *_COLUMNS)
    .outerjoin(jobs, (jobs.c.id == events.c.job_id) & (events.c.kind == SUBMITTED))
    .where(events.c.id > bindparam("cursor", type_=INT))
    .order_by(events.c.id)
    .limit(bindparam("most", type_=INT))
)


async def jobs_by_id(connection: AsyncConnection, ids: Iterable[int]) -> list[QueuedJob]:
    """The jobs among `ids` that exist, ended or not."""
    return _queued(await run_batch(connection, _by_id, {"id": list(ids)}, {"id": INT}))


def _by_id(wanted: Subquery) -> Select[Any]:
    return select(*_COLUMNS).where(among(jobs.c.id, select(wanted.c.id)))


def _queued(rows: Iterable[Sequence[Any]]) -> list[QueuedJob]:
    return [QueuedJob._make((*row[:_STATE], _STATES[row[_STATE]], *row[_STATE + 1 :])) for row in rows]


_STATE = QueuedJob._fields.index("state")
_STATES = {state.value: state for state in State}


async def capacities(connection: AsyncConnection) -> Mapping[str, int]:
    """Limits that were set, by resource."""
    return {row[0]: row[1] for row in await _CAPACITIES.run(connection)}


_CAPACITIES = Prepared(select(limits.c.resource, limits.c.capacity))


async def paused(connection: AsyncConnection) -> Mapping[str, ScopePause]:
    """Paused scopes by name."""
    return {scope: ScopePause(scope, by, reason) for scope, by, reason in await _PAUSED.run(connection)}


_PAUSED = Prepared(select(paused_scopes.c.scope, paused_scopes.c.by, paused_scopes.c.reason))


async def project_weights(connection: AsyncConnection) -> Mapping[int, tuple[str, float]]:
    """Name and weight of each project, by id."""
    query = select(projects.c.id, projects.c.name, projects.c.weight)
    return {row.id: (row.name, row.weight) for row in await connection.execute(query)}

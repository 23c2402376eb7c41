"""The queue, as the scheduler reads it to keep its index: open jobs, limits, paused scopes, projects. And where in it a
waiting job stands: the jobs ahead of it, the children it waits for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Any, NamedTuple

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Subquery,
    bindparam,
    case,
    func,
    literal_column,
    or_,
    select,
    text,
    tuple_,
)
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED, State
from jobdeck.core.life.waiting import ScopePause
from jobdeck.core.values import encode
from jobdeck.store.schema import OPEN_JOBS, events, jobs, limits, paused_scopes, projects
from jobdeck.store.sql.among import among
from jobdeck.store.sql.database import Row
from jobdeck.store.sql.events import SUBMITTED
from jobdeck.store.sql.statements import INT, Prepared, run_batch
from jobdeck.store.views.expressions import position


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


async def waiting_after_losses(connection: AsyncConnection, least: int) -> list[Row]:
    """The pending jobs that lost their worker `least` times in a row or more, but those that wait for children: id,
    project (name), type, isolation, claims, not_before, waits_for_children; in the order of the queue."""
    query = (
        select(jobs.c.id, projects.c.name.label("project"), *(jobs.c[name] for name in _WAITING))
        .join(projects, projects.c.id == jobs.c.project_id)
        .where(text(OPEN_JOBS), jobs.c.state == str(State.PENDING), jobs.c.losses >= least, ~jobs.c.waits_for_children)
        .order_by(jobs.c.order_key, jobs.c.id)
    )
    return list((await connection.execute(query)).mappings())


_WAITING = ("type", "isolation", "claims", "not_before", "waits_for_children")


COUNTED = 50
"""Positions are counted for at most this many jobs of one answer."""


class Standing(NamedTuple):
    """The kind of place that a job needs on a worker, and its number, from 1, in the queue of its project."""

    isolation: str
    number: int | None


async def standings(connection: AsyncConnection, ready: Sequence[int], now: int) -> dict[int, Standing]:
    """How the waiting jobs `ready` stand; the queue is walked once for all of them.

    In a project's queue are its pending jobs but those that wait for a time or for their children; in it goes first who
    has the smaller order key, and among equals the smaller id."""
    if not ready:
        return {}
    wanted = select(jobs.c.id, jobs.c.project_id, jobs.c.order_key, jobs.c.isolation).where(jobs.c.id.in_(ready))
    found = {row.id: row for row in await connection.execute(wanted)}
    counted = sorted((found[i] for i in ready[:COUNTED] if i in found), key=lambda row: (row.order_key, row.id))
    marks = [(row.order_key, row.id) for row in counted]
    sizes = await _sizes(connection, {row.project_id for row in counted}, marks, now)
    numbers: dict[int, int] = {}
    for project in {row.project_id for row in counted}:
        sooner = list(accumulate(sizes.get((project, band), 0) for band in range(len(marks))))
        numbers |= {row.id: 1 + sooner[band] for band, row in enumerate(counted) if row.project_id == project}
    return {i: Standing(row.isolation, numbers.get(i)) for i, row in found.items()}


async def in_line(
    connection: AsyncConnection, resource: str, waiting: Sequence[int], now: int, *, has_all: bool
) -> dict[int, int]:
    """The numbers, from 1, of jobs of one project among those that need `resource`, in the order of the queue.

    `has_all`: every job of the project needs it, so that nobody's claims are looked at."""
    wanted = select(jobs.c.id, jobs.c.project_id, jobs.c.order_key).where(jobs.c.id.in_(waiting[:COUNTED]))
    found = sorted(await connection.execute(wanted), key=lambda row: (row.order_key, row.id))
    marks = [(row.order_key, row.id) for row in found]
    needs = () if has_all else (position(jobs.c.claims, encode(resource)) > 0,)
    sizes = await _sizes(connection, {row.project_id for row in found}, marks, now, *needs)
    sooner = accumulate(sizes.get((row.project_id, band), 0) for band, row in enumerate(found))
    return {row.id: 1 + count for row, count in zip(found, sooner, strict=True)}


async def _sizes(
    connection: AsyncConnection,
    of: set[int],
    marks: Sequence[tuple[int, int]],
    now: int,
    *needs: ColumnElement[bool],
) -> dict[tuple[int, int], int]:
    """How many jobs of each project's queue come before the first of `marks`, between it and the second, and so on."""
    waiting = (
        text(OPEN_JOBS),
        jobs.c.state == str(State.PENDING),
        jobs.c.project_id.in_(of),
        ~jobs.c.waits_for_children,
        or_(jobs.c.not_before.is_(None), jobs.c.not_before <= now),
    )
    band = _band(marks, 0, len(marks)).label("band")
    query = select(jobs.c.project_id, band, func.count()).where(*waiting).where(*needs)
    found = await connection.execute(query.group_by(jobs.c.project_id, text("band")))
    return {(project, i): count for project, i, count in found}


def _band(marks: Sequence[tuple[int, int]], first: int, last: int) -> ColumnElement[int]:
    """Of `marks` from `first` to `last`, how many a job does not come before: halved again and again, for each job."""
    if first == last:
        return literal_column(str(first), Integer)
    middle = (first + last) // 2
    before = tuple_(jobs.c.order_key, jobs.c.id) < tuple_(*marks[middle])
    return case((before, _band(marks, first, middle)), else_=_band(marks, middle + 1, last))


async def unended_children(connection: AsyncConnection, parents: Sequence[int]) -> dict[int, list[int]]:
    """The children of each of `parents` that have not ended."""
    if not parents:
        return {}
    not_ended = jobs.c.state.not_in([str(s) for s in sorted(ENDED)])
    query = select(jobs.c.parent_id, jobs.c.id).where(jobs.c.parent_id.in_(parents), not_ended).order_by(jobs.c.id)
    found: dict[int, list[int]] = {}
    for parent, child in await connection.execute(query):
        found.setdefault(parent, []).append(child)
    return found

"""Workers as people see them, and whether a scheduler leads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import jobs, leadership, leases, workers

RECENT = 24 * 3600 * 1_000_000
"""µs that a worker which is gone stays in lists."""


@dataclass(frozen=True, slots=True)
class WorkerView:
    """A worker with the jobs that it holds: id and project of each. Times in µs."""

    id: str
    name: str
    host: str
    pid: int
    state: str
    slots: int
    light_slots: int
    types: tuple[str, ...]
    version: str
    started_at: int
    heartbeat_at: int
    shortage: str | None
    running: tuple[tuple[int, int], ...]


async def page(connection: AsyncConnection, now: int, after: str, limit: int) -> list[WorkerView]:
    """Workers that are not gone, or not for long, with an id above `after`, by id."""
    shown = (workers.c.state != "gone") | (workers.c.heartbeat_at > now - RECENT)
    query = select(workers).where(shown, workers.c.id > after).order_by(workers.c.id).limit(limit)
    rows = (await connection.execute(query)).mappings().all()
    return await _with_jobs(connection, rows)


async def get(connection: AsyncConnection, id: str) -> WorkerView | None:
    """The worker with this id, gone or not."""
    rows = (await connection.execute(select(workers).where(workers.c.id == id))).mappings().all()
    found = await _with_jobs(connection, rows)
    return found[0] if found else None


async def called(connection: AsyncConnection, word: str, limit: int) -> list[WorkerView]:
    """Workers whose id or name is `word` or begins with it, those that are not gone first, the newest first."""
    begins = workers.c.id.startswith(word, autoescape=True) | workers.c.name.startswith(word, autoescape=True)
    order = (workers.c.state == "gone", workers.c.heartbeat_at.desc(), workers.c.id)
    rows = (await connection.execute(select(workers).where(begins).order_by(*order).limit(limit))).mappings().all()
    return await _with_jobs(connection, rows)


async def _with_jobs(connection: AsyncConnection, rows: Sequence[RowMapping]) -> list[WorkerView]:
    ids = [row["id"] for row in rows]
    query = (
        select(leases.c.worker_id, leases.c.job_id, jobs.c.project_id)
        .join(jobs, jobs.c.id == leases.c.job_id)
        .where(leases.c.worker_id.in_(ids))
        .order_by(leases.c.job_id)
    )
    running: dict[str, list[tuple[int, int]]] = {}
    for worker, job, project in await connection.execute(query) if ids else ():
        running.setdefault(worker, []).append((job, project))
    names = [n for n in WorkerView.__slots__ if n not in ("types", "running")]
    return [
        WorkerView(
            **{n: row[n] for n in names},
            types=tuple(json.loads(row["types"])),
            running=tuple(running.get(row["id"], ())),
        )
        for row in rows
    ]


async def names(connection: AsyncConnection, named: Sequence[str], hosts: Sequence[str]) -> tuple[str, ...]:
    """The names, as jobs have them, of workers that are `named` (by name or id) and on one of `hosts`, if there are.

    A name counts though no worker is known by it any more."""
    by_id = select(workers.c.name).where(workers.c.id.in_(named)).distinct()
    found = {*named, *(await connection.execute(by_id)).scalars()} if named else set()
    if not hosts:
        return tuple(sorted(found))
    there = set(
        (await connection.execute(select(workers.c.name).where(workers.c.host.in_(hosts)).distinct())).scalars()
    )
    return tuple(sorted(found & there if named else there))


@dataclass(frozen=True, slots=True)
class Strength:
    """Workers that gave a sign of life lately: those that take jobs, and those that take no more; by name, what some
    are short of, and how many those are."""

    live: int
    draining: int
    short: Mapping[str, str]
    short_count: int


async def strength(connection: AsyncConnection, silent_since: int) -> Strength:
    """The workers that were heard of since then."""
    query = select(workers.c.name, workers.c.state, workers.c.shortage).order_by(workers.c.name, workers.c.id)
    there = workers.c.state != "gone", workers.c.heartbeat_at >= silent_since
    rows = (await connection.execute(query.where(*there))).all()
    live = sum(row.state == "active" for row in rows)
    short = [(row.name, row.shortage) for row in rows if row.shortage]
    return Strength(live, len(rows) - live, dict(short), len(short))


async def leader(connection: AsyncConnection, now: int) -> str | None:
    """Who leads as scheduler, None while nobody does."""
    query = select(leadership.c.holder).where(leadership.c.expires_at > now)
    return (await connection.execute(query.limit(1))).scalar()

"""What a worker needs to know of a job that it was assigned."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.batch import ids_of
from jobdeck.store.schema import jobs, leases, projects


@dataclass(frozen=True, slots=True)
class Assignment:
    """A job under this worker's lease; `params` is JSON text, durations µs."""

    id: int
    project: str
    type: str
    params: str
    attempt: int
    epoch: int
    purpose: str
    dirty_since: int
    fraction: float
    running_us: int
    state_since: int


async def load(connection: AsyncConnection, worker_id: str, ids: Iterable[int]) -> list[Assignment]:
    """The jobs among `ids` that the worker holds now."""
    wanted = ids_of(ids, connection.dialect.name)
    query = (
        select(
            jobs.c.id, projects.c.name.label("project"), jobs.c.type, jobs.c.params, jobs.c.attempt, leases.c.epoch,
            leases.c.purpose, jobs.c.dirty_since, jobs.c.fraction, jobs.c.running_us, jobs.c.state_since,
        )
        .join(leases, leases.c.job_id == jobs.c.id)
        .join(projects, projects.c.id == jobs.c.project_id)
        .where(leases.c.worker_id == worker_id, jobs.c.id.in_(select(wanted.c.id)))
    )  # fmt: skip
    return [Assignment(**row) for row in (await connection.execute(query)).mappings()]

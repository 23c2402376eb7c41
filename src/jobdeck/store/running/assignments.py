"""What a worker needs to know of a job that it was assigned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Select, Subquery, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import jobs, leases, projects
from jobdeck.store.sql.batch import INT, TEXT
from jobdeck.store.sql.prepared import run_batch


class Assignment(NamedTuple):
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
    project_id: int = 0
    secrets: str | None = None
    """What is masked in `params`, sealed."""
    last_operation: str | None = None
    """What a person, or a duty, last asked of the job."""
    code: str | None = None
    """The fingerprint of the code that the attempt began with."""


async def load(connection: AsyncConnection, worker_id: str, ids: Sequence[int]) -> list[Assignment]:
    """The jobs among `ids` that the worker holds now."""
    cells: dict[str, list[Any]] = {"id": list(ids), "worker": [worker_id] * len(ids)}
    found = await run_batch(connection, _load, cells, {"id": INT, "worker": TEXT}, ("id", "worker"))
    return [Assignment._make(row) for row in found]


def _load(wanted: Subquery) -> Select[Any]:
    columns = {"project": projects.c.name, "epoch": leases.c.epoch, "purpose": leases.c.purpose}
    return (
        select(*(columns[name] if name in columns else jobs.c[name] for name in Assignment._fields))
        .join(leases, leases.c.job_id == jobs.c.id)
        .join(projects, projects.c.id == jobs.c.project_id)
        .join(wanted, (wanted.c.id == jobs.c.id) & (wanted.c.worker == leases.c.worker_id))
    )

"""The progress of running jobs, as the live feed tells it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ALIVE
from jobdeck.store.schema import OPEN_JOBS, jobs


@dataclass(frozen=True, slots=True)
class JobProgress:
    """The progress of a running job, and when (µs) it was last told."""

    job_id: int
    project_id: int
    state: str
    at: int
    fraction: float
    done: int
    total: int | None
    unit: str

    def data(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "fraction": self.fraction,
            "done": self.done,
            "total": self.total,
            "unit": self.unit,
        }


async def of_running(connection: AsyncConnection) -> list[JobProgress]:
    """Of the jobs that are alive and have told of progress."""
    query = select(
        jobs.c.id,
        jobs.c.project_id,
        jobs.c.state,
        jobs.c.progress_at,
        jobs.c.fraction,
        jobs.c.done,
        jobs.c.total,
        jobs.c.unit,
    ).where(text(OPEN_JOBS), jobs.c.state.in_([str(s) for s in sorted(ALIVE)]), jobs.c.progress_at.is_not(None))
    return [JobProgress(*row) for row in await connection.execute(query)]

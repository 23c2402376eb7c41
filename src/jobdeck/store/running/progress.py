"""The progress of running jobs as lists show it; written often, so without events."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Subquery, Update, case, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.records import JobAdvanced
from jobdeck.core.life.states import ALIVE
from jobdeck.store.schema import OPEN_JOBS, jobs
from jobdeck.store.sql.batch import FLOAT, INT, TEXT
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.prepared import run_batch


async def advance(tx: Tx, advanced: Mapping[int, JobAdvanced]) -> None:
    """Write progress; a fraction never goes back."""
    if not advanced:
        return
    rows = [(i, a.fraction, a.done, a.total, a.unit, tx.now) for i, a in advanced.items()]
    await run_batch(tx.connection, _advance, dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True)), _COLUMNS)


_COLUMNS = {"id": INT, "fraction": FLOAT, "done": INT, "total": INT, "unit": TEXT, "at": INT}


def _advance(batch: Subquery) -> Update:
    values = {
        "fraction": case((batch.c.fraction > jobs.c.fraction, batch.c.fraction), else_=jobs.c.fraction),
        "done": batch.c.done,
        "total": batch.c.total,
        "unit": batch.c.unit,
        "progress_at": batch.c.at,
    }
    return update(jobs).where(jobs.c.id == batch.c.id).values(values)


@dataclass(frozen=True, slots=True)
class Moved:
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


async def of_running(connection: AsyncConnection) -> list[Moved]:
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
    return [Moved(*row) for row in await connection.execute(query)]

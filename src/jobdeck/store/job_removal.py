"""Descendants of jobs, and removing jobs with everything recorded about them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.job import Job
from jobdeck.core.states import ENDED
from jobdeck.store.batch import ids_of
from jobdeck.store.database import Tx
from jobdeck.store.events import NewEvent
from jobdeck.store.jobs import lock
from jobdeck.store.schema import events, jobs


async def unended_children(connection: AsyncConnection, parents: Sequence[int]) -> list[int]:
    """Children of `parents` that have not ended."""
    query = select(jobs.c.id).where(jobs.c.parent_id.in_(parents), jobs.c.state.not_in([str(s) for s in ENDED]))
    return list((await connection.execute(query)).scalars())


async def family(tx: Tx, job_id: int) -> list[Job]:
    """The job and all its descendants, locked, parents before children; empty when there is no such job."""
    found: list[Job] = []
    generation = [job_id]
    while generation:
        locked = await lock(tx, generation)
        found += locked.values()
        query = select(jobs.c.id).where(jobs.c.parent_id.in_(generation))
        generation = list((await tx.connection.execute(query)).scalars())
    return found


async def remove(tx: Tx, doomed: Sequence[Job], actor: str | None) -> None:
    """Delete the rows of `doomed` and all that refers to them; an event of each remains, without its content."""
    if not doomed:
        return
    once = {job.id: job for job in doomed}
    ids = list(once)
    wanted = ids_of(ids, tx.dialect)
    await tx.connection.execute(delete(events).where(events.c.job_id.in_(select(wanted.c.id))))
    for job_id in sorted(ids, reverse=True):
        await tx.connection.execute(delete(jobs).where(jobs.c.id == job_id))
    tx.emit(*(NewEvent("deleted", job.project_id, job.id, actor, {"from": str(job.state)}) for job in once.values()))

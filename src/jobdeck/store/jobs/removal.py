"""Descendants of jobs, and removing jobs with everything recorded about them."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.job import Job
from jobdeck.core.life.states import ENDED
from jobdeck.store.jobs.jobs import lock
from jobdeck.store.schema import attempts, events, failures, jobs, leases, lineage, steps, tasks
from jobdeck.store.sql.batch import ids_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent

_ABOUT_JOBS = (events, lineage, failures, tasks, steps, attempts, leases)


async def unended_children(connection: AsyncConnection, parents: Sequence[int]) -> list[int]:
    """Children of `parents` that have not ended."""
    wanted = ids_of(parents, connection.dialect.name, "parents")
    query = (
        select(jobs.c.id)
        .join(wanted, wanted.c.id == jobs.c.parent_id)
        .where(jobs.c.state.not_in([str(s) for s in ENDED]))
    )
    return list((await connection.execute(query)).scalars())


async def families(tx: Tx, ids: Sequence[int]) -> dict[int, list[Job]]:
    """Each of `ids` that exists with all its descendants, locked, parents before children."""
    found = await lock(tx, dict.fromkeys(ids))
    roots = [i for i in dict.fromkeys(ids) if i in found]
    children: dict[int, list[int]] = {}
    generation = list(found)
    while generation:
        parents = ids_of(generation, tx.dialect)
        query = select(jobs.c.id, jobs.c.parent_id).join(parents, parents.c.id == jobs.c.parent_id).order_by(jobs.c.id)
        born = (await tx.connection.execute(query)).all()
        for child, parent in born:
            children.setdefault(parent, []).append(child)
        generation = [child for child, _ in born if child not in found]
        found |= await lock(tx, generation)
    return {root: [found[i] for i in _descent(root, children) if i in found] for root in roots}


def _descent(root: int, children: dict[int, list[int]]) -> list[int]:
    """The job and all below it, generation by generation."""
    line = [root]
    for job in line:
        line += children.get(job, ())
    return line


async def remove(tx: Tx, doomed: Sequence[Job], actor: str | None, bulk: int | None = None) -> None:
    """Delete the rows of `doomed` and all that refers to them; an event of each remains, without its content.

    `bulk`: the operation on a selection that this is a part of."""
    if not doomed:
        return
    once = {job.id: job for job in doomed}
    ids = list(once)
    wanted = ids_of(ids, tx.dialect)
    for table in _ABOUT_JOBS:
        await tx.connection.execute(delete(table).where(table.c.job_id.in_(select(wanted.c.id))))
    await tx.connection.execute(delete(jobs).where(jobs.c.id.in_(select(wanted.c.id))))
    more = {} if bulk is None else {"bulk": bulk}
    for job in once.values():
        tx.emit(NewEvent("deleted", job.project_id, job.id, actor, {"from": str(job.state), **more}))

"""Descendants of jobs, and removing jobs with everything recorded about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.job import Job
from jobdeck.core.life.states import ENDED
from jobdeck.core.values import clip
from jobdeck.store.jobs.jobs import lock
from jobdeck.store.schema import attempts, events, failures, jobs, leases, lineage, principals, steps, tasks
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.events import NewEvent

DELETED = "deleted"
"""The kind of the event that remains of a job."""
MAX_TOLD = 200
"""Characters of a deleted job's description that its event keeps."""

_ABOUT_JOBS = (events, lineage, failures, tasks, steps, attempts, leases)


async def unended_children(connection: AsyncConnection, parents: Sequence[int]) -> list[int]:
    """Children of `parents` that have not ended."""
    wanted = ids_of(parents, "parents")
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
        parents = ids_of(generation)
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


async def claims_with(tx: Tx, ids: Sequence[int], part: str) -> dict[int, str]:
    """The claims (JSON) of those of the jobs in whose claims `part` stands."""
    if not ids:
        return {}
    wanted = ids_of(list(ids))
    query = select(jobs.c.id, jobs.c.claims).join(wanted, wanted.c.id == jobs.c.id)
    rows = await tx.connection.execute(query.where(jobs.c.claims.contains(part, autoescape=True)))
    return {row.id: row.claims for row in rows}


@dataclass(frozen=True, slots=True)
class DoomedJob:
    """A job that is to be removed; `along`: children that go with it, `taken_by`: the job with which it goes."""

    job: Job
    along: Mapping[str, int] = field(default_factory=dict)
    taken_by: int | None = None


async def remove(tx: Tx, doomed: Sequence[DoomedJob], actor: str | None, bulk: int | None = None) -> None:
    """Delete the rows of `doomed` and all that refers to them; an event of each remains, without its content.

    `bulk`: the operation on a selection that this is a part of."""
    if not doomed:
        return
    once = {one.job.id: one for one in doomed}
    wanted = ids_of(list(once))
    told = await _told(tx, list(once))
    # The job first: an event of a job that is there is kept by the database (migration 0005).
    await tx.connection.execute(delete(jobs).where(jobs.c.id.in_(select(wanted.c.id))))
    for table in _ABOUT_JOBS:
        these = table.c.job_id.in_(select(wanted.c.id))
        kept = (table.c.kind != DELETED,) if table is events else ()
        await tx.connection.execute(delete(table).where(these, *kept))
    for one in once.values():
        data = {"from": str(one.job.state), **told[one.job.id], **_more(one, bulk)}
        tx.emit(NewEvent(DELETED, one.job.project_id, one.job.id, actor, data))


async def _told(tx: Tx, ids: list[int]) -> dict[int, dict[str, Any]]:
    """What is still told of jobs that are gone: what they were, and whose."""
    wanted = ids_of(ids)
    query = (
        select(jobs.c.id, jobs.c.type, jobs.c.description, principals.c.name)
        .join(wanted, wanted.c.id == jobs.c.id)
        .outerjoin(principals, principals.c.id == jobs.c.created_by)
    )
    return {
        row.id: {"type": row.type, "created_by": row.name, "description": clip(row.description, MAX_TOLD)}
        for row in await tx.connection.execute(query)
    }


def _more(one: DoomedJob, bulk: int | None) -> dict[str, Any]:
    more = {"children": dict(one.along) or None, "with": one.taken_by, "bulk": bulk}
    return {name: value for name, value in more.items() if value is not None}

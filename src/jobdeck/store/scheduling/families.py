"""Parents and children: a parent ends last, and what its children did decides how."""

from __future__ import annotations

from collections.abc import Iterable

from jobdeck.core.life import transitions
from jobdeck.core.life.job import NO_CHILDREN
from jobdeck.store.jobs import jobs
from jobdeck.store.scheduling import leadership
from jobdeck.store.scheduling.leadership import Leader
from jobdeck.store.sql.database import Database, Tx


async def settle(database: Database, leader: Leader, candidates: Iterable[int]) -> list[int]:
    """End, or send back to the queue, the jobs among `candidates` that waited only for children; their ids."""
    ids = sorted(set(candidates))

    async def work(tx: Tx) -> list[int]:
        await leadership.require(tx, leader)
        locked = await jobs.lock(tx, ids)
        children = await jobs.children_of(tx.connection, (j.id for j in locked.values() if j.has_children))
        changes = []
        for job in locked.values():
            transition = transitions.family_settled(job, tx.now, children.get(job.id, NO_CHILDREN))
            if transition is not None:
                changes.append((job, transition))
        await jobs.apply(tx, changes)
        return [job.id for job, _ in changes]

    return await database.transact(work, often=True)

"""Where a waiting job stands: the jobs ahead of it, the children it waits for."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

from sqlalchemy import case, func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.life.states import ENDED, State
from jobdeck.store.schema import OPEN_JOBS, jobs

COUNTED = 50
"""Positions are counted for at most this many jobs of one answer."""


async def ahead(connection: AsyncConnection, ready: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Places in the queue, from 1, of jobs given as id and order key; the queue is walked once for all of them."""
    counted = sorted(ready[:COUNTED], key=lambda job: job[1])
    if not counted:
        return {}
    keys = sorted({key for _, key in counted})
    # Those behind the last one of interest are the most, and are told apart first.
    band = case((jobs.c.order_key >= keys[-1], len(keys)), *((jobs.c.order_key < key, i) for i, key in enumerate(keys)))
    waiting = (text(OPEN_JOBS), jobs.c.state == str(State.PENDING))
    query = select(band.label("band"), func.count()).select_from(jobs).where(*waiting).group_by("band")
    sizes: dict[int, int] = dict((await connection.execute(query)).all())
    sooner = dict(zip(keys, accumulate(sizes.get(i, 0) for i in range(len(keys))), strict=True))
    return {job_id: 1 + sooner[key] for job_id, key in counted}


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

"""Where a waiting job stands: the jobs ahead of it, the children it waits for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.states import ENDED, State
from jobdeck.store.schema import OPEN_JOBS, jobs

COUNTED = 20
"""Positions are counted for at most this many jobs of one answer; counting walks the queue."""


async def ahead(connection: AsyncConnection, ready: Sequence[tuple[int, int]]) -> dict[int, int]:
    """Places in the queue, from 1, of jobs given as id and order key."""
    places = {}
    for job_id, order_key in ready[:COUNTED]:
        sooner = (text(OPEN_JOBS), jobs.c.state == str(State.PENDING), jobs.c.order_key < order_key)
        query = select(func.count()).select_from(jobs).where(*sooner)
        places[job_id] = 1 + ((await connection.execute(query)).scalar() or 0)
    return places


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

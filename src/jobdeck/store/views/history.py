"""What happened to all but jobs, and which jobs were deleted: events, newest first, found without those of jobs."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import HISTORY, events
from jobdeck.store.sql.events import StoredEvent


@dataclass(frozen=True, slots=True)
class HistoryFilter:
    """Which events; empty means any. A kind stands for all below it, too: `token` for `token.created`."""

    kinds: Sequence[str] = ()
    actors: Sequence[str] = ()
    projects: Collection[int] | None = None
    since: int | None = None
    until: int | None = None


async def page(connection: AsyncConnection, where: HistoryFilter, before: int | None, limit: int) -> list[StoredEvent]:
    """Up to `limit` events with ids below `before`, newest first."""
    event = events.c
    # In the words of the partial index: a parameter could not use it.
    query = select(events).where(text(f"({HISTORY})")).order_by(event.id.desc()).limit(limit)
    if before is not None:
        query = query.where(event.id < before)
    if where.kinds:
        below = [event.kind.startswith(f"{kind}.", autoescape=True) for kind in where.kinds]
        query = query.where(or_(event.kind.in_(list(where.kinds)), *below))
    if where.actors:
        query = query.where(event.actor.in_(list(where.actors)))
    if where.projects is not None:
        query = query.where(event.project_id.in_(list(where.projects)))
    if where.since is not None:
        query = query.where(event.at >= where.since)
    if where.until is not None:
        query = query.where(event.at < where.until)
    return [
        StoredEvent(e.id, e.at, e.kind, e.project_id, e.job_id, e.actor, json.loads(e.data), e.principal_id, e.token_id)
        for e in await connection.execute(query)
    ]

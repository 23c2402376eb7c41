"""What a page about one job shows beside the job: its latest events, who holds what, and how many children it has."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import configurations, events, jobs, tokens, workers
from jobdeck.store.sql.events import StoredEvent
from jobdeck.store.sql.numbers import wide


async def newest_events(
    connection: AsyncConnection, job: int, before: int | None, kinds: Sequence[str], limit: int
) -> list[StoredEvent]:
    """Up to `limit` events of the job with an id below `before` (None: any), newest first; of `kinds`, if there are."""
    query = select(events).where(events.c.job_id == job).order_by(events.c.id.desc()).limit(limit)
    if before is not None:
        query = query.where(events.c.id < wide(before))
    if kinds:
        query = query.where(events.c.kind.in_(kinds))
    return [_stored(row) for row in (await connection.execute(query)).mappings()]


def _stored(row: RowMapping) -> StoredEvent:
    return StoredEvent(
        row["id"], row["at"], row["kind"], row["project_id"], row["job_id"], row["actor"], json.loads(row["data"])
    )


@dataclass(frozen=True, slots=True)
class Origin:
    """Names behind the numbers in a job's row; None where there is none, or it is gone."""

    token: str | None
    configuration: str | None
    host: str | None


async def origin(connection: AsyncConnection, row: RowMapping) -> Origin:
    """The names of the job's token, configuration and its worker's host."""
    token = select(tokens.c.name).where(tokens.c.id == row["token_id"])
    configuration = select(configurations.c.name).where(configurations.c.id == row["configuration_id"])
    host = select(workers.c.host).where(workers.c.name == row["worker"])
    names = [
        (await connection.execute(query)).scalar() if row[column] is not None else None
        for query, column in ((token, "token_id"), (configuration, "configuration_id"), (host, "worker"))
    ]
    return Origin(*names)


async def children_counts(connection: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    """How many children each of the jobs has; those with none are left out."""
    query = select(jobs.c.parent_id, func.count().label("children")).where(jobs.c.parent_id.in_(list(ids)))
    return {row.parent_id: row.children for row in await connection.execute(query.group_by(jobs.c.parent_id))}

"""Events: every transition and notable moment, written in the transaction that makes it true, with who did it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import orjson
from sqlalchemy import Insert, Subquery, bindparam, func, insert, select, true
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.values import MAX_EVENT, clip, encode
from jobdeck.store import schema
from jobdeck.store.sql.statements import INT, TEXT, driver_of, run_batch
from jobdeck.store.sql.wakeups import Called, announcement

CHANNEL = "jobdeck"
"""The PostgreSQL channel on which commits are announced."""

SUBMITTED = "submitted"
"""The kind of the first event of a job."""

_LOCK = 0x6A6F6264
_COLUMNS = {"at": INT, "kind": TEXT, "project_id": INT, "job_id": INT, "actor": TEXT, "data": TEXT,
            "principal_id": INT, "token_id": INT}  # fmt: skip


class Actor(str):
    """A principal's name, with its id and that of the token by which it acted. Taken as text, it is the name."""

    __slots__ = ("principal_id", "token_id")
    principal_id: int
    token_id: int

    def __new__(cls, name: str, principal_id: int, token_id: int) -> Self:
        made = super().__new__(cls, name)
        made.principal_id = principal_id
        made.token_id = token_id
        return made


def ids_of(actor: str | None) -> tuple[int | None, int | None]:
    """The ids of the principal and the token; none where the system acted by itself."""
    return (actor.principal_id, actor.token_id) if isinstance(actor, Actor) else (None, None)


class NewEvent(NamedTuple):
    """Something that happened, to be written with what it tells of. Of an Actor, the ids are kept, too."""

    kind: str
    project_id: int | None = None
    job_id: int | None = None
    actor: str | None = None
    data: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it was written; ids grow in the order of commits."""

    id: int
    at: int
    kind: str
    project_id: int | None
    job_id: int | None
    actor: str | None
    data: dict[str, Any]
    principal_id: int | None = None
    token_id: int | None = None


class EventRow(NamedTuple):
    """An event as it lies in the table: `data` is JSON, which those who only pass it on need not read."""

    id: int
    at: int
    kind: str
    project_id: int | None
    job_id: int | None
    actor: str | None
    data: str
    principal_id: int | None
    token_id: int | None


async def append(connection: AsyncConnection, events: Sequence[NewEvent], now: int, called: Called = None) -> None:
    """Write `events` as the last statement of a transaction, whose commit will call those `called`.

    Where others write, a transaction lock is held from here to the commit, so that ids become visible in the order they
    grow: a reader that has seen event n will never meet a smaller one later."""
    rows = [
        (now, e.kind, e.project_id, e.job_id, e.actor and str(e.actor), _text_of(e.data), *ids_of(e.actor))
        for e in events
    ]
    cells = dict(zip(_COLUMNS, zip(*rows, strict=True), strict=True))
    if driver_of(connection).has_other_writers:
        await run_batch(connection, _insert_in_order, cells, _COLUMNS, called=announcement(called))
    else:
        await run_batch(connection, _insert, cells, _COLUMNS)


def _insert(batch: Subquery) -> Insert:
    return insert(schema.events).from_select(list(batch.c.keys()), select(*batch.c))


def _insert_in_order(batch: Subquery) -> Insert:
    """No row has an id before the lock is held; the announcement is made by the commit."""
    announced = func.pg_notify(CHANNEL, bindparam("called", type_=TEXT))
    locked = select(func.pg_advisory_xact_lock(_LOCK), announced).cte("locked")
    return insert(schema.events).from_select(list(batch.c.keys()), select(*batch.c).join(locked, true()))


def _text_of(data: Mapping[str, Any]) -> str:
    try:
        text = orjson.dumps(data).decode()
    except TypeError:  # integers beyond 64 bits, characters that are none
        text = encode(data)
    if len(text) > MAX_EVENT:
        text = encode({k: clip(v, MAX_EVENT // 4) if isinstance(v, str) else None for k, v in data.items()})
    return text


async def rows_after(
    connection: AsyncConnection,
    cursor: int,
    limit: int,
    *,
    projects: Collection[int] | None = None,
    job: int | None = None,
) -> list[EventRow]:
    """Up to `limit` events with an id above `cursor`, oldest first; of these projects, of this job (None: of any)."""
    columns = (schema.events.c[name] for name in EventRow._fields)
    query = select(*columns).where(schema.events.c.id > cursor).order_by(schema.events.c.id).limit(limit)
    if projects is not None:
        query = query.where(schema.events.c.project_id.in_(list(projects)))
    if job is not None:
        query = query.where(schema.events.c.job_id == job)
    return [EventRow(*row) for row in await connection.execute(query)]


async def read_after(connection: AsyncConnection, cursor: int, limit: int, job: int | None = None) -> list[StoredEvent]:
    """The same of this job, or of all, with what they tell read."""
    found = await rows_after(connection, cursor, limit, job=job)
    return [StoredEvent(**{**row._asdict(), "data": json.loads(row.data)}) for row in found]


async def last_id(connection: AsyncConnection) -> int:
    """The id of the newest event, 0 when there is none."""
    query = select(schema.events.c.id).order_by(schema.events.c.id.desc()).limit(1)
    return (await connection.execute(query)).scalar() or 0

"""Workers: who is there to run jobs, how many at a time, of which types."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, Subquery, Update, bindparam, exists, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.values import clip
from jobdeck.store.schema import leases, workers
from jobdeck.store.sql.among import among
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.events import NewEvent
from jobdeck.store.sql.statements import INT, TEXT, BatchQuery, Prepared

ACTIVE, DRAINING, LEAVING, GONE = "active", "draining", "leaving", "gone"
"""It takes jobs; a person told it to take no more, which can be taken back; it is about to end; it has ended."""
MAX_SHORTAGE = 500
_TOLD = {ACTIVE: "worker.undrained", DRAINING: "worker.draining", LEAVING: "worker.draining", GONE: "worker.gone"}
_FROM = {ACTIVE: (DRAINING,), DRAINING: (ACTIVE,), LEAVING: (ACTIVE, DRAINING), GONE: (ACTIVE, DRAINING, LEAVING)}


@dataclass(frozen=True, slots=True)
class StoredWorker:
    """A worker. `slots`: jobs that need processes, at the same time; `light_slots`: jobs that run in threads."""

    id: str
    name: str
    host: str
    pid: int
    slots: int
    light_slots: int
    types: tuple[str, ...]
    version: str
    state: str = ACTIVE


async def join(database: Database, worker: StoredWorker) -> None:
    """A worker comes into being; its id was never used before. Asking again changes nothing: an answer may get lost."""

    async def work(tx: Tx) -> None:
        if (await tx.connection.execute(select(workers.c.id).where(workers.c.id == worker.id))).scalar() is not None:
            return
        row = {name: getattr(worker, name) for name in StoredWorker.__slots__} | {"types": json.dumps(worker.types)}
        await tx.connection.execute(insert(workers).values(**row, started_at=tx.now, heartbeat_at=tx.now))
        tx.emit(NewEvent("worker.joined", actor=worker.name, data={"worker": worker.id, "slots": worker.slots}))

    await database.transact(work)


def locking_active(ids: Iterable[str]) -> BatchQuery:
    """Asks for those of `ids` that take jobs; they go on doing so until the transaction ends."""
    return BatchQuery(_lock_active, {"id": sorted(ids)}, {"id": TEXT})


def _lock_active(wanted: Subquery) -> Select[Any]:
    query = select(workers.c.id).where(among(workers.c.id, select(wanted.c.id)), workers.c.state == ACTIVE)
    return query.order_by(workers.c.id).with_for_update(read=True)


async def beat(tx: Tx, worker_id: str, shortage: str | None = None) -> str | None:
    """Note that the worker lives, and what it is short of; its state, None when it is not known (any more)."""
    short_of = shortage and clip(shortage, MAX_SHORTAGE)
    rows = await _BEAT.run(tx.connection, worker=worker_id, at=tx.now, short_of=short_of)
    state: str | None = rows[0][0] if rows else None
    return state


_BEAT = Prepared(
    update(workers)
    .where(workers.c.id == bindparam("worker", type_=TEXT), workers.c.state != GONE)
    .values(heartbeat_at=bindparam("at", type_=INT), shortage=bindparam("short_of", type_=TEXT))
    .returning(workers.c.state)
)


async def set_state(database: Database, worker_id: str, state: str, actor: str | None = None) -> bool:
    """Whether its state allowed that and it is `state` now. `draining` and `leaving` take no more jobs; only the first
    can become `active` again; `gone` is the end."""

    async def work(tx: Tx) -> bool:
        mine = (workers.c.id == worker_id, workers.c.state.in_(_FROM[state]))
        statement = update(workers).where(*mine).values(state=state).returning(workers.c.name)
        changed = (await tx.connection.execute(statement)).scalar()
        if changed is not None:
            tx.emit(NewEvent(_TOLD[state], actor=actor or changed, data={"worker": worker_id}))
        return changed is not None

    return await database.transact(work)


async def alive(connection: AsyncConnection, heard_since: int) -> list[StoredWorker]:
    """Workers that are not gone and were heard of since then (µs); a silent one must not be given anything."""
    rows = [
        dict(zip(StoredWorker.__slots__, row, strict=True)) for row in await _ALIVE.run(connection, since=heard_since)
    ]
    return [StoredWorker(**{**row, "types": tuple(json.loads(row["types"]))}) for row in rows]


_ALIVE = Prepared(
    select(*(workers.c[n] for n in StoredWorker.__slots__)).where(
        workers.c.state != GONE, workers.c.heartbeat_at >= bindparam("since", type_=INT)
    )
)


async def end_all(tx: Tx) -> None:
    """All of them are gone."""
    statement = update(workers).where(workers.c.state != GONE).values(state=GONE)
    await _tell_gone(tx, statement)


async def mark_dead(tx: Tx, silent_since: int) -> Sequence[str]:
    """Mark as gone the workers without a heartbeat since then and without a lease; their ids."""
    holds = exists().where(leases.c.worker_id == workers.c.id)
    statement = update(workers).where(workers.c.state != GONE, workers.c.heartbeat_at < silent_since, ~holds)
    return await _tell_gone(tx, statement.values(state=GONE))


async def _tell_gone(tx: Tx, statement: Update) -> list[str]:
    names = (await tx.connection.execute(statement.returning(workers.c.id, workers.c.name))).all()
    tx.emit(*(NewEvent("worker.gone", actor=name, data={"worker": worker}) for worker, name in names))
    return [worker for worker, _ in names]

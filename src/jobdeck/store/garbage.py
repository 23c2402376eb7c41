"""Content that nothing refers to any more and that is still to be deleted from the object storage.

Entered in the transaction that removes the rows, so that neither a crash nor a storage that is away lets it be
forgotten."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from sqlalchemy import RowMapping, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.values import clip
from jobdeck.store.schema import storage_garbage
from jobdeck.store.sql.database import Tx

GRACE = 60_000_000
"""µs for which whoever entered it has it to themselves."""
FIRST_PAUSE, LONGEST_PAUSE = 30_000_000, 6 * 3600 * 1_000_000
STUCK = 2
"""Tries after which what is still there counts as something that cannot be deleted."""
AT_ONCE = 500
MAX_ERROR = 500


class Kind(StrEnum):
    """What may be deleted of a prefix."""

    ALL = "all"
    STAGED = "staged"
    """An attempt's files beside a table: those that no version of the table shows."""


@dataclass(frozen=True, slots=True)
class Doomed:
    """A prefix below the storage's root that is to be deleted, as far as its kind says."""

    prefix: str
    kind: Kind = Kind.ALL


@dataclass(frozen=True, slots=True)
class Garbage:
    """A remembered prefix. `since` in µs; `tries` failed so far, the last one with `last_error`."""

    id: int
    prefix: str
    kind: Kind
    since: int
    tries: int
    last_error: str | None


async def add(tx: Tx, doomed: Sequence[Doomed], *, wait: int = GRACE) -> list[int]:
    """Remember them, to be deleted `wait` µs from now unless that was done before; their ids."""
    ids: list[int] = []
    for first in range(0, len(doomed), AT_ONCE):
        rows = [
            {"prefix": item.prefix, "kind": str(item.kind), "since": tx.now, "due_at": tx.now + wait, "tries": 0}
            for item in doomed[first : first + AT_ONCE]
        ]
        made = await tx.connection.execute(insert(storage_garbage).values(rows).returning(storage_garbage.c.id))
        ids += made.scalars()
    return ids


async def of_ids(connection: AsyncConnection, ids: Sequence[int]) -> list[Garbage]:
    """Those of `ids` that are still to be deleted."""
    query = select(storage_garbage).where(storage_garbage.c.id.in_(list(ids))).order_by(storage_garbage.c.id)
    return [_garbage(row) for row in (await connection.execute(query)).mappings()]


async def due(connection: AsyncConnection, now: int, limit: int) -> list[Garbage]:
    """What is to be tried now, what has waited longest first."""
    query = select(storage_garbage).where(storage_garbage.c.due_at <= now)
    query = query.order_by(storage_garbage.c.due_at, storage_garbage.c.id).limit(limit)
    return [_garbage(row) for row in (await connection.execute(query)).mappings()]


@dataclass(frozen=True, slots=True)
class Left:
    """What could not be deleted so far: how many prefixes, since when the oldest (µs), the most tries, what kept the
    one that was tried most."""

    count: int
    since: int | None
    tries: int
    error: str | None


async def left(connection: AsyncConnection) -> Left:
    """What was tried in vain `STUCK` times or more."""
    stuck = storage_garbage.c.tries >= STUCK
    figures = select(func.count(), func.min(storage_garbage.c.since), func.max(storage_garbage.c.tries)).where(stuck)
    count, since, tries = (await connection.execute(figures)).one()
    order = storage_garbage.c.tries.desc(), storage_garbage.c.id
    worst = select(storage_garbage.c.last_error).where(stuck).order_by(*order).limit(1)
    error = (await connection.execute(worst)).scalar() if count else None
    return Left(count, since, tries or 0, error)


async def forget(tx: Tx, ids: Sequence[int]) -> int:
    """It is deleted, or is wanted again; how many there were."""
    return (await tx.connection.execute(delete(storage_garbage).where(storage_garbage.c.id.in_(list(ids))))).rowcount


async def failed(tx: Tx, item: Garbage, error: str) -> None:
    """It could not be deleted: try again later, after a longer pause each time."""
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(item.tries, 20))
    values = {"tries": item.tries + 1, "last_error": clip(error, MAX_ERROR), "due_at": tx.now + pause}
    await tx.connection.execute(update(storage_garbage).where(storage_garbage.c.id == item.id).values(values))


def _garbage(row: RowMapping) -> Garbage:
    values = {name: row[name] for name in Garbage.__slots__}
    return Garbage(**values | {"kind": Kind(values["kind"])})

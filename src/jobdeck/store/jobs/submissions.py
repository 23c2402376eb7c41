"""What submitting looks up: idempotency keys, open duplicates, the run ids of parents."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence

from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from jobdeck.core import amounts
from jobdeck.core.errors import Conflict
from jobdeck.store.schema import OPEN_JOBS, idempotency, jobs
from jobdeck.store.sql.batch import ids_of
from jobdeck.store.sql.database import Database, Tx

RACES = 5


async def settle_races(
    database: Database, work: Callable[[Tx], Awaitable[list[int]]], *, alone: bool = False
) -> list[int]:
    """Run `work`; of two equal requests at one moment the second finds the first one's rows. `alone`: it is about
    one job."""
    for _ in range(RACES):
        try:
            return await database.transact(work, by_key=alone)
        except IntegrityError:
            continue
    raise Conflict("Another request with the same key is being handled.", hint="Send it again in a moment.")


async def remembered(tx: Tx, principal_id: int, key: str, request_hash: str) -> list[int] | None:
    """Ids of what an earlier request with this key made; raises Conflict if that request was another one."""
    query = select(idempotency).where(idempotency.c.principal_id == principal_id, idempotency.c.key == key)
    row = (await tx.connection.execute(query)).mappings().first()
    if row is None:
        return None
    if row["request_hash"] != request_hash:
        raise Conflict(
            f"The idempotency key '{key}' was used before for another request.",
            field="Idempotency-Key",
            hint="Use a new key for a new request.",
        )
    return [int(i) for i in json.loads(row["job_ids"])]


async def remembered_jobs(tx: Tx, principal_id: int, key: str, request_hash: str) -> list[int] | None:
    """The same of a request for jobs; raises Conflict where they were deleted."""
    ids = await remembered(tx, principal_id, key, request_hash)
    if ids is not None:
        await _require_there(tx, key, ids)
    return ids


async def _require_there(tx: Tx, key: str, ids: Sequence[int]) -> None:
    """Raises Conflict where jobs that the key stands for were deleted: the answer cannot be given any more."""
    wanted = ids_of(ids, tx.dialect)
    there = set((await tx.connection.execute(select(jobs.c.id).join(wanted, wanted.c.id == jobs.c.id))).scalars())
    gone = [i for i in ids if i not in there]
    if gone:
        some = f"jobs {gone[0]} and {amounts.number(len(gone) - 1)} more" if len(gone) > 1 else f"job {gone[0]}"
        raise Conflict(
            f"The idempotency key '{key}' was used before: it made {some}, deleted since.",
            field="Idempotency-Key",
            hint="To have the work done once more, use a new key.",
            jobs=gone[:100],
        )


async def remember(tx: Tx, principal_id: int, key: str, request_hash: str, ids: Sequence[int]) -> None:
    """Keep the answer to this request. A race with an equal request ends in IntegrityError."""
    row = {"principal_id": principal_id, "key": key, "request_hash": request_hash, "job_ids": json.dumps(list(ids))}
    await tx.connection.execute(insert(idempotency).values(**row, created_at=tx.now))


async def open_duplicates(tx: Tx, keys: Sequence[str]) -> dict[str, int]:
    """The jobs with these deduplication keys that have not ended."""
    if not keys:
        return {}
    query = select(jobs.c.dedupe_key, jobs.c.id).where(jobs.c.dedupe_key.in_(keys), text(OPEN_JOBS))
    return dict((await tx.connection.execute(query)).all())


async def run_ids(tx: Tx, ids: Iterable[int]) -> dict[int, str]:
    """Run ids by job."""
    query = select(jobs.c.id, jobs.c.run_id).where(jobs.c.id.in_(list(ids)))
    return dict((await tx.connection.execute(query)).all())


async def mark_parents(tx: Tx, ids: Sequence[int]) -> None:
    """Note that these jobs have children."""
    if ids:
        await tx.connection.execute(update(jobs).where(jobs.c.id.in_(ids)).values(has_children=True))

"""New jobs as rows, and what submitting looks up: idempotency keys, open duplicates, the run ids of parents."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, NamedTuple

from sqlalchemy import insert, select, text, update
from sqlalchemy.exc import IntegrityError

from jobdeck.core import amounts
from jobdeck.core.errors import Conflict
from jobdeck.core.life.states import State
from jobdeck.store.schema import OPEN_JOBS, idempotency, jobs
from jobdeck.store.segments.settled import IDS_LOCK
from jobdeck.store.sql.among import ids_of
from jobdeck.store.sql.database import Database, Tx
from jobdeck.store.sql.statements import BOOL, FLOAT, INT, TEXT, Prepared, driver_of, insert_cells

RACES = 5


class NewJob(NamedTuple):
    """A job as submit made it; JSON as text. `run_prefix` is the parent's run id, empty at the top."""

    project_id: int
    type: str
    category: str
    isolation: str
    description: str
    subject: str | None
    params: str
    tags: str
    claims: str
    priority: int
    parent_id: int | None
    run_prefix: str
    on_child_failure: str
    created_by: int
    token_id: int | None = None
    configuration_id: int | None = None
    configuration_version: int | None = None
    copied_from: int | None = None
    dedupe_key: str | None = None
    not_before: int | None = None
    secrets: str | None = None
    """What is masked in `params`, sealed."""


async def insert_many(tx: Tx, new: Sequence[NewJob], order_keys: Sequence[int], ids: Sequence[int]) -> None:
    """Write the rows of `new`, pending, with ids that `next_ids` gave."""
    if new:
        await insert_cells(tx.connection, jobs, _new_cells(new, order_keys, ids, tx.now), _INSERTED)


_NEXT_IDS = Prepared(
    text(
        "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(:lock)) "
        "SELECT nextval(pg_get_serial_sequence('jobs', 'id')) FROM held, generate_series(1, CAST(:count AS bigint))"
    )
)
"""Under a lock held to the commit, so that others can learn which ids are settled (store/segments/settled.py)."""


async def next_ids(tx: Tx, count: int) -> list[int]:
    """Ids that no other job ever had, in growing order; known before the insert because run ids contain them."""
    if driver_of(tx.connection).has_other_writers:
        return sorted(value for (value,) in await _NEXT_IDS.run(tx.connection, count=count, lock=IDS_LOCK))
    query = text("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
    last = (await tx.connection.execute(query)).scalar() or 0
    return list(range(last + 1, last + 1 + count))


def _new_cells(new: Sequence[NewJob], order_keys: Sequence[int], ids: Sequence[int], now: int) -> dict[str, list[Any]]:
    """The rows of new jobs, by columns."""
    cells: dict[str, list[Any]] = {
        "id": list(ids),
        "run_id": [f"{j.run_prefix}.{i}" if j.run_prefix else str(i) for j, i in zip(new, ids, strict=True)],
        "order_key": list(order_keys),
        **{name: [value] * len(new) for name, value in _FRESH.items()},
        **{name: [now] * len(new) for name in ("created_at", "state_since", "queued_at")},
    }
    for name, values in zip(NewJob._fields, zip(*new, strict=True), strict=True):
        if name != "run_prefix":
            cells[name] = list(values)
    return cells


_FRESH: dict[str, Any] = {
    **dict.fromkeys(("epoch", "dirty_since", "losses", "queued_us", "running_us", "paused_us", "warnings"), 0),
    "state": str(State.PENDING), "attempt": 1, "fraction": 0.0, "leased": False,
}  # fmt: skip
_INSERTED = {
    "id": INT, "run_id": TEXT, "project_id": INT, "type": TEXT, "category": TEXT, "isolation": TEXT, "state": TEXT,
    "description": TEXT, "subject": TEXT, "params": TEXT, "tags": TEXT, "claims": TEXT, "priority": INT,
    "order_key": INT, "parent_id": INT, "on_child_failure": TEXT, "configuration_id": INT,
    "configuration_version": INT, "copied_from": INT, "dedupe_key": TEXT, "created_by": INT, "token_id": INT,
    "created_at": INT, "attempt": INT, "epoch": INT, "leased": BOOL, "state_since": INT, "queued_at": INT,
    "not_before": INT, "dirty_since": INT, "losses": INT, "queued_us": INT, "running_us": INT, "paused_us": INT,
    "fraction": FLOAT, "warnings": INT, "secrets": TEXT,
}  # fmt: skip


async def settle_races(
    database: Database, work: Callable[[Tx], Awaitable[list[int]]], *, alone: bool = False
) -> list[int]:
    """Run `work`; of two equal requests at one moment the second finds the first one's rows. `alone`: it is about
    one job."""
    for _ in range(RACES):
        try:
            return await database.transact(work, often=True, by_key=alone)
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
    wanted = ids_of(ids)
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

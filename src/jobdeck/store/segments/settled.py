"""Which ids of jobs are settled: written and committed, or never to be.

On PostgreSQL ids become visible in no order. Whoever takes ids holds a shared lock to its commit; who holds it alone
for a moment knows that no smaller id is still to come. SQLite has one writer, so there the largest id tells all."""

from __future__ import annotations

from sqlalchemy import func, select

from jobdeck.store.schema import jobs
from jobdeck.store.sql.database import Tx
from jobdeck.store.sql.statements import driver_of

IDS_LOCK = 6_014_223_001
"""The number of PostgreSQL's advisory lock."""


async def settled(tx: Tx, *, wait: bool) -> int | None:
    """The id up to which all are settled; None when the lock is taken and is not to be waited for."""
    if driver_of(tx.connection).has_other_writers:
        lock = func.pg_advisory_xact_lock if wait else func.pg_try_advisory_xact_lock
        if (await tx.connection.execute(select(lock(IDS_LOCK)))).scalar() is False:
            return None
    return (await tx.connection.execute(select(func.max(jobs.c.id)))).scalar() or 0

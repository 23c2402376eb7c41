"""What processes that were killed still hold, where whoever asks is the only process that there can be."""

from __future__ import annotations

from sqlalchemy import update

from jobdeck.store.running import workers
from jobdeck.store.schema import leadership, leases
from jobdeck.store.sql.database import Database, Tx


async def end_killed(database: Database) -> None:
    """End leadership, leases and workers of processes before this one. Their jobs then go where losing a worker sends
    them, without waiting for the ends of their leases.

    Only for who holds the locks of an SQLite database: with those, all processes of the one before are dead, its tasks
    included."""

    async def work(tx: Tx) -> None:
        await tx.connection.execute(update(leases).where(leases.c.expires_at > tx.now).values(expires_at=tx.now))
        await tx.connection.execute(
            update(leadership).where(leadership.c.expires_at > tx.now).values(expires_at=tx.now)
        )
        await workers.end_all(tx)

    await database.transact(work)

"""Parameters that an older version stored with their secrets in clear: found, and exchanged for sealed ones."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Table, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.identity.sealed import Stored
from jobdeck.core.values import encode
from jobdeck.store.schema import configurations, jobs
from jobdeck.store.sql.database import Tx

StoredIn = Table

TABLES: tuple[Table, ...] = (jobs, configurations)


class Unsealed(NamedTuple):
    """A row whose parameters nobody looked at yet; `params` is JSON text."""

    id: int
    project_id: int
    type: str
    params: str
    created_by: int | None


async def page(connection: AsyncConnection, table: Table, after: int, limit: int) -> list[Unsealed]:
    """Rows with an id above `after` and nothing sealed."""
    columns = (table.c[name] for name in Unsealed._fields)
    query = select(*columns).where(table.c.id > after, table.c.secrets.is_(None)).order_by(table.c.id).limit(limit)
    return [Unsealed._make(row) for row in await connection.execute(query)]


async def exchange(tx: Tx, table: Table, found: Sequence[tuple[Unsealed, Stored]]) -> None:
    """Store what was sealed, where the row is still as it was."""
    for row, stored in found:
        as_it_was = (table.c.id == row.id, table.c.secrets.is_(None), table.c.params == row.params)
        values = {"params": encode(stored.params), "secrets": stored.box}
        await tx.connection.execute(update(table).where(*as_it_was).values(values))


async def wipe(database: Path) -> None:
    """Write an SQLite file anew, so that what was exchanged or deleted stands nowhere in it, nor in what is beside."""
    await asyncio.to_thread(_wipe, database)


def _wipe(database: Path) -> None:
    connection = sqlite3.connect(database, isolation_level=None, timeout=60)
    try:
        for statement in ("PRAGMA wal_checkpoint(TRUNCATE)", "VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)"):
            connection.execute(statement).fetchall()
    finally:
        connection.close()

"""Once, after an upgrade: the secrets among parameters that an older version stored in clear are sealed."""

from __future__ import annotations

import json
from pathlib import Path

import structlog

from jobdeck.core.identity.sealed import Stored
from jobdeck.services.masking import ParamVault
from jobdeck.store import installation
from jobdeck.store.access import unsealed
from jobdeck.store.access.unsealed import StoredIn, Unsealed
from jobdeck.store.sql.database import Database

AT_ONCE = 1000

log = structlog.get_logger(__name__)


async def seal_stored(database: Database, seals: ParamVault, sqlite_path: Path | None) -> None:
    """Look through all jobs and configurations; done once for an installation, before it serves. A server that is
    killed midway begins again. An SQLite file is written anew then, or the secrets would stand in its free pages."""
    async with database.read() as connection:
        if await installation.get(connection, installation.PARAMS_SEALED) is not None:
            return
    counts = {table.name: await _seal(database, seals, table) for table in unsealed.TABLES}
    if any(counts.values()):
        log.info("params_sealed", **counts)
        if sqlite_path is not None:
            await unsealed.wipe(sqlite_path)
    await database.transact(lambda tx: installation.put(tx, installation.PARAMS_SEALED, "yes"))


async def _seal(database: Database, seals: ParamVault, table: StoredIn) -> int:
    """How many rows had secrets."""
    after, count = 0, 0
    while True:
        async with database.read() as connection:
            rows = await unsealed.page(connection, table, after, AT_ONCE)
        if not rows:
            return count
        found = [(row, stored) for row in rows if (stored := _stored(seals, row)).box is not None]
        if found:
            await database.transact(lambda tx, found=found: unsealed.exchange(tx, table, found))  # type: ignore[misc]
        after, count = rows[-1].id, count + len(found)


def _stored(seals: ParamVault, row: Unsealed) -> Stored:
    return seals.seal(row.type, row.project_id, json.loads(row.params), row.created_by or 0)

"""Move an installation from SQLite to PostgreSQL: locked, into an empty database, proved before it counts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from jobdeck.access.home_lock import lock_installation
from jobdeck.core.errors import Conflict
from jobdeck.store import installation
from jobdeck.store.awaiting import refuse_unusable
from jobdeck.store.migrate import migrate
from jobdeck.store.moving.copying import MovedTable, copy_all, refuse_full
from jobdeck.store.sql.database import Database, shown


class DatabaseMoved(Conflict, code="database_moved"):
    """The database was moved; the installation goes on in another one."""


@dataclass(frozen=True, slots=True)
class Move:
    """From which file, in whose home, to which address."""

    home: Path
    source: Path
    """The file of SQLite."""
    source_url: str
    target_url: str


async def move_database(move: Move) -> list[MovedTable]:
    """Copy all and mark the old database as moved; the tables with their rows.

    Raises Conflict while a server runs on it, DatabaseRefuses, TargetNotEmpty, MoveNotProved; nothing has changed
    then."""
    lock = lock_installation(move.home, move.source)
    source, target = Database(move.source_url), Database(move.target_url)
    try:
        await migrate(source)
        await refuse_moved(source)
        await refuse_unusable(target, "to")
        await refuse_full(target)
        await migrate(target)
        moved = await copy_all(source, target)
        where = shown(target.url)
        await source.transact(lambda tx: installation.put(tx, installation.MOVED_TO, where))
        return moved
    finally:
        await source.close()
        await target.close()
        lock.release()


async def refuse_moved(database: Database) -> None:
    """Raises DatabaseMoved for the old database: what is done in it would be lost, and would mix with the new one's."""
    async with database.read() as connection:
        where = await installation.get(connection, installation.MOVED_TO)
    if where is not None:
        raise DatabaseMoved(
            f"This database was moved to {where}; the installation goes on there.",
            field="database_url",
            hint="Set JOBDECK_DATABASE_URL to that address (docs/operations.md says how to go back).",
        )

"""Bring a database to the schema of this version; a new database and a migrated one end up the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from jobdeck.core.errors import Conflict, DiskFull, Unavailable
from jobdeck.store.sql.database import Database, shown

if TYPE_CHECKING:
    from alembic.config import Config

DAY = 86_400.0
_MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 0x6A6F6265


class DatabaseTooNew(Conflict, code="database_too_new"):
    """A newer version of Jobdeck has changed the database's schema."""


class DatabaseUnusable(Conflict, code="database_unusable"):
    """What the address leads to is no database that Jobdeck can use."""


async def migrate(database: Database) -> None:
    """Apply the migrations that are missing, one process at a time. Raises DatabaseTooNew and DatabaseUnusable."""
    try:
        await _migrate(database)
    except DBAPIError as error:
        raise _unusable(database, str(error.orig).partition("\n")[0]) from error
    except Unavailable as error:
        if database.dialect != "sqlite" or isinstance(error, DiskFull):
            raise
        raise _unusable(database, error.message.rstrip(".")) from error


def _unusable(database: Database, reason: str) -> DatabaseUnusable:
    return DatabaseUnusable(
        f"The database {shown(database.url)} cannot be used: {reason}.",
        hint="Look at its address, its rights and its file; restore a backup if it is damaged.",
    )


async def _migrate(database: Database) -> None:
    if await _is_current(database):
        return
    from alembic import command  # 12 MB, and a third of a worker's start: only where there is something to do

    def run(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            # A large table takes its time, and who starts meanwhile waits for that.
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
        command.upgrade(_config(connection), "head")

    unhurried = database.sibling(patience=DAY)
    try:
        await unhurried.transact(lambda tx: tx.connection.run_sync(run))
    finally:
        await unhurried.close()


async def _is_current(database: Database) -> bool:
    """Whether the newest migration was applied. A database that cannot tell is not."""
    known = {path.name.partition("_")[0] for path in (_MIGRATIONS / "versions").glob("v*.py")}
    try:
        async with database.read() as connection:
            versions = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all()
    except (DBAPIError, Unavailable):
        return False
    if unknown := [version for version in versions if f"v{version}" > max(known)]:
        raise DatabaseTooNew(
            f"The database has the schema {unknown[0]} of a newer version of Jobdeck; this one knows {max(known)[1:]}.",
            hint="Start that version, or restore the database from before the upgrade.",
        )
    return [f"v{version}" for version in versions] == [max(known)]


def _config(connection: Connection) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    return config

"""Bring a database to the schema of this version; a new database and a migrated one end up the same."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from jobdeck.store.sql.database import Database

DAY = 86_400.0
_MIGRATION_LOCK = 0x6A6F6265


async def migrate(database: Database) -> None:
    """Apply the migrations that are missing, one process at a time."""

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


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    return config

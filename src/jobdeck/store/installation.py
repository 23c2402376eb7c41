"""What the installation knows of itself: a few named values, the same for all servers and workers on one database."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.errors import Conflict
from jobdeck.store.schema import installation
from jobdeck.store.sql.database import Database, Tx

KEY_CHECK = "key_check"
"""Proves that a process has the key with which the installation's secrets are sealed."""
ADMIN_HOME = "admin_home"
"""The home that has the administrator's token."""
MOVED_TO = "moved_to"
"""Where this database was moved to; only the old one has it."""
STORAGE_MARK = "storage_mark"
"""The word that the installation's storage holds, too: a process with another storage is told so."""
STORAGE_URL = "storage_url"
"""Where the server that started last has the storage, for people."""
PARAMS_SEALED = "params_sealed"
"""The secrets among the parameters of all jobs and configurations are sealed."""


class AlreadySet(Conflict, code="already_set"):
    """Another server was a moment earlier."""


async def get(connection: AsyncConnection, name: str) -> str | None:
    """The value, if there is one."""
    query = select(installation.c.value).where(installation.c.name == name)
    found: str | None = (await connection.execute(query)).scalar()
    return found


async def put(tx: Tx, name: str, value: str) -> None:
    """Set the value."""
    await tx.put(installation, {"name": name}, {"value": value})


async def put_once(database: Database, name: str, value: str) -> str:
    """Set the value where there is none; the one that holds, also for who was a moment late."""
    async with database.read() as connection:
        there = await get(connection, name)
    if there is not None:
        return there
    try:
        await database.transact(lambda tx: put_new(tx, name, value))
    except AlreadySet:
        pass
    async with database.read() as connection:
        return await get(connection, name) or value


async def put_new(tx: Tx, name: str, value: str) -> None:
    """Set a value that is not there; raises AlreadySet where it is."""
    try:
        await tx.connection.execute(insert(installation).values(name=name, value=value))
    except IntegrityError as error:
        raise AlreadySet(f"The installation has a {name} already.") from error

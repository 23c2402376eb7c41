"""Principals: the people and programs that tokens speak for, by name."""

from __future__ import annotations

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.store.schema import principals
from jobdeck.store.sql.database import Tx

ADMIN = "admin"
"""The principal that is made at the first start."""


async def id_of(connection: AsyncConnection, name: str) -> int | None:
    """The id of the principal called `name`."""
    found: int | None = (await connection.execute(select(principals.c.id).where(principals.c.name == name))).scalar()
    return found


async def ensure(tx: Tx, name: str, kind: str = "program") -> int:
    """The id of the principal called `name`, made when it is not there. `kind` is `person` or `program`."""
    found = await id_of(tx.connection, name)
    if found is not None:
        return found
    values = {"name": name, "kind": kind, "created_at": tx.now}
    made = await tx.connection.execute(insert(principals).values(values).returning(principals.c.id))
    return int(made.scalar_one())

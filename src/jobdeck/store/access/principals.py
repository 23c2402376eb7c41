"""Principals: the people and programs that act. Each has a name that nobody else ever has, or could be taken for."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import insert, or_, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from jobdeck.core.identity.names import NameTaken, skeleton
from jobdeck.store.schema import principals
from jobdeck.store.sql.database import Tx

ADMIN = "admin"
"""The principal that is made at the first start."""


@dataclass(frozen=True, slots=True)
class Principal:
    """`name` is whole: inside a project, the project stands before it. `project_id` None: of the installation."""

    id: int
    name: str
    project_id: int | None
    created_by: int | None


async def by_name(connection: AsyncConnection, name: str) -> Principal | None:
    """The principal whose whole name is `name`."""
    columns = (principals.c.id, principals.c.name, principals.c.project_id, principals.c.created_by)
    row = (await connection.execute(select(*columns).where(principals.c.name == name))).first()
    return Principal(*row) if row is not None else None


async def are_any(connection: AsyncConnection) -> bool:
    """Whether anybody was ever known; an installation that has served knows its administrator."""
    return (await connection.execute(select(principals.c.id).limit(1))).first() is not None


async def create(
    tx: Tx, name: str, *, kind: str = "program", project_id: int | None = None, created_by: int | None = None
) -> int:
    """Make a principal; its id. Raises NameTaken where another has the name or one that looks like it."""
    key = skeleton(name)
    same = select(principals.c.id).where(or_(principals.c.name == name, principals.c.skeleton == key))
    if (await tx.connection.execute(same)).first() is not None:
        raise taken(name)
    values = {
        "name": name, "kind": kind, "created_at": tx.now, "project_id": project_id, "created_by": created_by,
        "skeleton": key,
    }  # fmt: skip
    try:
        made = await tx.connection.execute(insert(principals).values(values).returning(principals.c.id))
    except IntegrityError as error:  # another request was quicker
        raise taken(name) from error
    return int(made.scalar_one())


async def ensure(tx: Tx, name: str, kind: str = "program") -> int:
    """The id of a principal of the installation, made when it is not there. `kind` is `person` or `program`."""
    found = await by_name(tx.connection, name)
    return found.id if found is not None else await create(tx, name, kind=kind)


def taken(name: str) -> NameTaken:
    """The error of a name that is not free."""
    return NameTaken(
        f"The name '{name[:100]}' is taken, or looks like one that is.",
        field="name",
        hint="Choose another name; for another token of the same principal, say so with `for`.",
    )
